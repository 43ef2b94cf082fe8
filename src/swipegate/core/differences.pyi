"""What the tracks of one swipe contradict each other in; wire gives it with each swipe."""
