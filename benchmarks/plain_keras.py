"""The baseline's training as a plain Keras script: what the pipeline is measured against.

Usage: python benchmarks/plain_keras.py DATA_FOLDER EPOCHS PRECISION
"""

import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers

folder, epochs, precision = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
x_train, y_train = np.load(folder / "train_images.npy"), np.load(folder / "train_labels.npy")
x_val, y_val = np.load(folder / "validation_images.npy"), np.load(folder / "validation_labels.npy")

keras.utils.set_random_seed(42)
keras.config.set_dtype_policy(precision)
model = keras.Sequential(
    [
        keras.Input((32, 32, 3)),
        layers.Conv2D(32, 3),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(512),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Dropout(0.5),
        layers.Dense(100),
        layers.Softmax(dtype="float32"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
with tempfile.TemporaryDirectory() as checkpoints:
    best = f"{checkpoints}/best.keras"
    keep_best = keras.callbacks.ModelCheckpoint(best, "val_accuracy", save_best_only=True)
    model.fit(
        x_train,
        y_train,
        batch_size=128,
        epochs=epochs,
        validation_data=(x_val, y_val),
        callbacks=[keep_best],
        verbose=2,
    )
    model = keras.models.load_model(best)
_, accuracy = model.evaluate(x_val, y_val, verbose=0)
print(f"validation accuracy {accuracy:.2%}")
