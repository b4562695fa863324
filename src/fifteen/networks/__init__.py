"""Network families: functions that build a `keras.Model` from raw images to probabilities."""
