"""What a run did, for people: the page report.html and the model card, from what the stages recorded."""
