"""The stages of the pipeline, in their order, and what each does in one line. The only list of them."""

STAGES = {
    "download": "Download the Gemma preset, or copy it, into the run folder.",
    "prepare": "Check the examples row by row, split them, and mix in replay.",
    "finetune": "Train an adapter on the examples with Keras.",
    "merge": "Merge the adapter into the base and verify the result.",
    "convert": "Quantize and convert to LiteRT (.litertlm, .task).",
    "verify": "Verify that the phone's runtime gives the same answers.",
    "bundle": "Build the app that contains the model, sign it and check it.",
    "deploy": "Install the app on a phone, or print how to install it.",
}
