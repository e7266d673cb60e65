"""File formats byte by byte: flatbuffer, protobuf, safetensors, .tflite, .litertlm, .task, adapter files."""
