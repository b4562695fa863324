"""Keras and TensorFlow without their messages; who uses them imports this module first."""

from fifteen.common.quiet import without_collections, without_greeting

with without_greeting(), without_collections():
    import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # not its warnings about retracing
