"""The stages of the pipeline, in their order, and what each does in one line. The only list of them."""

STAGES = {
    "download": "Bring the Gemma preset into the run folder.",
    "prepare": "Check the examples row by row, split them, mix replay in.",
    "finetune": "Train a LoRA adapter on the examples with Keras.",
    "merge": "Merge the adapter into the base and verify the result.",
    "convert": "Quantize and convert to LiteRT (.litertlm, .task).",
    "verify": "Verify that the phone's runtime answers as the model did in training.",
    "bundle": "Put the model into a signed and checked APK.",
    "deploy": "Install the app on a phone, or explain how.",
}
