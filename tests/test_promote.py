from promote import promote


def test_every_alias_goes_to_the_run_of_its_model(monkeypatch):
    calls = []
    monkeypatch.setattr("promote.registry.register", lambda *given: calls.append(given))
    network, schedule = {"name": "swift", "width": 32}, {"name": "constant", "rate": 0.1}
    training = {"network": network, "optimizer": {"name": "adam"}, "schedule": schedule}
    training |= dict.fromkeys(("label_smoothing", "self_distillation", "averaging", "patience"))
    training |= {"augmentation": {"flip": True}, "resolution": [], "snapshots": 0}
    training |= {"batch_size": 128, "monitor": "val_accuracy"}
    single = {"kind": "single", "epochs": 15, "hyperparameters": training}
    models = {
        name: single | {"validation": {"accuracy": accuracy}, "run_id": f"run of {name}"}
        for name, accuracy in (("baseline", 0.4), ("swift", 0.7))
    }
    promote({"source": "digits", "models": models}, force=True)
    given = {alias: (source, run, force) for source, alias, run, _, _, force in calls}
    assert given == {
        "champion": ("digits", "run of swift", True),
        "baseline": ("digits", "run of baseline", True),
        "best-single": ("digits", "run of swift", True),
    }
    assert {metric for *_, metric, _, _ in calls} == {"val/best_accuracy"}
    described = calls[0][4]
    assert described.startswith("swift: network swift (width 32); optimizer adam;")
