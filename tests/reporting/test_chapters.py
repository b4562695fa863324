from fifteen.reporting.chapters import Chapter, chapters_markdown


def test_markdown():
    first = Chapter("One", ["It is.", "It was."], ["a", "b", "c"], [["x", "y|z", "1"]])
    second = Chapter("Two", [], ["a", "b"], [])
    assert chapters_markdown([first, second], "A note.").split("\n\n") == [
        "### One",
        "- It is.\n- It was.",
        "| a | b | c |\n| :-- | :-- | --: |\n| x | y\\|z | 1 |",
        "### Two",
        "| a | b |\n| :-- | :-- |",
        "A note.\n",
    ]
