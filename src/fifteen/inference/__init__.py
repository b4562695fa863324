"""What training, evaluation and serving share: hardware, views of an image, temperature."""
