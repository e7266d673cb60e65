"""`pocketgemma publish`: put the results of a run on Kaggle or Hugging Face."""
