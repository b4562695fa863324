"""fifteen: the best CIFAR-100 classifier that fifteen training epochs can buy."""

import os

# Without a GPU, TensorFlow reports one missing library after another; exceptions still show.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
