"""A merged model as a GGUF file in float32, for llama.cpp."""

from pathlib import Path

import numpy as np

from pipeline.families.registry import read_shape
from pipeline.formats.gguf import read_gguf
from pipeline.formats.safetensors import float_tensors
from pipeline.gemma.gguf_preset import gguf_names


def write_gguf(base: Path, folder: Path, output: Path) -> None:
    """Write the weights of a Hugging Face folder with the metadata, and so with the tokenizer, of the GGUF
    file that the base came from."""
    import gguf

    source, shape, tensors = read_gguf(base), read_shape(folder), float_tensors(folder / "model.safetensors")
    form = shape.family.gguf
    assert form is not None
    writer = gguf.GGUFWriter(output, form.architecture)
    reader = gguf.GGUFReader(base)
    derived = {"general.architecture", "general.file_type", "general.quantization_version"}
    for name, field in reader.fields.items():
        if name in derived or name.startswith("GGUF."):
            continue
        kind, *rest = field.types
        writer.add_key_value(name, field.contents(), kind, rest[-1] if rest else None)
    for name, hugging_face_name in gguf_names(shape).items():
        values = tensors[hugging_face_name].read_all()
        if name.endswith("norm.weight"):
            values = values + np.float32(form.norm_offset)
        assert values.shape == source.tensors[name].shape, name
        writer.add_tensor(name, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
