"""fifteen: the best CIFAR-100 classifier that fifteen training epochs can buy."""
