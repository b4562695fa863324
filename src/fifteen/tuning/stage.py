"""From params.yaml to the best hyperparameters: a whole search, here or together with workers."""

import gc
import shutil
import time
from pathlib import Path
from typing import Any

from fifteen.common.errors import UserError
from fifteen.common.files import read_json, repository_root, write_json
from fifteen.data.arrays import read_classes, read_part
from fifteen.inference import hardware
from fifteen.inference.hardware import HardwareInUse
from fifteen.params.search_space import dimensions, probes, size, with_values
from fifteen.params.sections import Params, Search, Training
from fifteen.tracking import runs
from fifteen.training.work import resume_key, work_folder
from fifteen.tuning.leave_one_out import taken_back
from fifteen.tuning.oracle import OBJECTIVE, Oracle
from fifteen.tuning.progress import Progress, duration
from fifteen.tuning.search import Tuner, check_environment, is_chief, is_worker, own_name
from fifteen.tuning.trials import Trials

from filelock import FileLock
from keras_tuner.engine.trial import Trial
from pydantic import BaseModel

DATA = Path("data/trainval")
SESSION = "session.json"  # by which workers know their chief
CHIEF_TIMEOUT = 600  # seconds for which a worker waits for its chief to begin


def run_search(params: Params, name: str, folder: Path) -> None:
    """Run the search called `name`, from where an earlier session was stopped.

    Writes hyperparameters.json, the training section that was found best, and search.json, the
    record of all trials, into `folder`; a worker leaves that to its chief.

    Raises:
        UserError: no search has that name, every trial failed, the space is too small, or a worker
            finds no chief.
    """
    began = time.monotonic()
    check_environment()
    search, min_steps = params.search(name), params.budget.min_steps_per_epoch
    machine = hardware.configure(**params.hardware.model_dump())
    source = read_classes(DATA).source
    checksums = read_json(DATA / "checksums.json")
    decides = _decides(name, search, min_steps, machine.precision, checksums)
    work = work_folder("tune", decides, code=__name__)
    progress = Progress(repository_root() / ".fifteen" / "tune.log")
    if is_worker():
        progress.say(f"{own_name()} works for the search in {work}")
        session = _session_of_chief(work)
        trials = _trials(name, search, min_steps, machine, work, session, progress, began)
        _run(trials, work, progress)
        return

    with (
        FileLock(work.with_suffix(".lock")),
        runs.resumable_run(source, f"{name} search", f"tune@{name}", resume_key(work)) as run,
    ):
        run.log_params(search.settings() | {"precision": machine.precision})
        run.set_tags({"device": machine.device})
        run.log_data(source, checksums)
        session = {"key": resume_key(work), "run": run.id}
        if is_chief():
            write_json(work / SESSION, session)
        progress.say(f"search for {name}: on {machine.device}, in {machine.precision}")
        progress.say(f"these lines are also in {progress.log}")
        trials = _trials(name, search, min_steps, machine, work, session, progress, began)
        gc.freeze()  # what is there by now stays; before each trial it need not be looked through
        oracle = _run(trials, work, progress)
        (work / SESSION).unlink(missing_ok=True)  # nothing is left for a worker to do

        record = _record(trials, oracle, work)
        winner = next(row for row in record["trials"] if row["trial"] == record["winner"])
        section = with_values(search.space, winner["hyperparameters"])
        record["taken_back"] = _taken_back(params.baseline, section, winner["epochs"], trials)
        write_json(folder / "hyperparameters.json", {"training": section})
        write_json(folder / "search.json", record)
        run.set_metrics(
            {
                "val/best_accuracy": winner["val_accuracy"],
                "search/trials": len(record["trials"]),
                "search/seconds": record["seconds"],
            }
        )
        for file in (folder / "hyperparameters.json", folder / "search.json", progress.log):
            run.log_file(file)
    # The small rest stays: a kill before DVC knows of the result must not repeat the search.
    for checkpoints in work.glob("configuration_*"):
        shutil.rmtree(checkpoints)
    progress.say(
        f"search for {name}: {len(record['trials'])} trials in "
        f"{duration(record['seconds'])}; the best, {record['winner']}, has validation accuracy "
        f"{winner['val_accuracy']:.2%} after {winner['epochs']} epochs"
    )


def _taken_back(
    baseline: Training, section: dict[str, Any], epochs: int, trials: Trials
) -> list[dict[str, Any]]:
    """What the winner comes to with each thing taken back in which it differs from the baseline."""
    winner = Training.model_validate(section).model_copy(
        update={"epochs": epochs, "patience": trials.search.patience}
    )
    conditional = {d.path for d in dimensions(trials.search.space) if d.parent}
    ablations = taken_back(winner, baseline, conditional)
    items = []
    for number, (name, (config, ours, theirs)) in enumerate(ablations.items(), start=1):
        trials.progress.say(f"the winner with {name} taken back ({number} of {len(ablations)})")
        item = {"name": name, "winner": _plain(ours), "baseline": _plain(theirs)}
        items.append(item | trials.take_back(name, config))
    return items


def _plain(value: object) -> object:
    return value.model_dump() if isinstance(value, BaseModel) else value


def _decides(
    name: str, search: Search, min_steps: int, precision: str, checksums: dict[str, str]
) -> dict[str, Any]:
    """What decides the outcome of a search, besides the code that `work_folder` looks at."""
    return {
        "name": name,
        "search": search.settings(),
        "min steps": min_steps,
        "with defaults": [Training.model_validate(p).model_dump() for p in probes(search.space)],
        "precision": precision,
        "data": checksums,
    }


def _trials(
    name: str,
    search: Search,
    min_steps: int,
    machine: HardwareInUse,
    work: Path,
    session: dict[str, str],
    progress: Progress,
    began: float,
) -> Trials:
    clock = work / f"clock_{own_name()}.json"
    before = read_json(clock)["seconds"] if clock.exists() else 0.0
    return Trials(
        name,
        search,
        min_steps,
        read_classes(DATA),
        read_part(DATA, "train"),
        read_part(DATA, "validation"),
        machine,
        work,
        session["key"],
        session["run"],
        progress,
        lambda: write_json(clock, {"seconds": before + time.monotonic() - began}),
    )


def _session_of_chief(work: Path) -> dict[str, str]:
    """What the chief of this search has written down for its workers."""
    path, deadline = work / SESSION, time.monotonic() + CHIEF_TIMEOUT
    while not path.exists():
        if time.monotonic() > deadline:
            raise UserError(
                f"no chief has begun this search within {CHIEF_TIMEOUT} s: {path} is not there; "
                "start it with KERASTUNER_TUNER_ID=chief, on the same code, parameters and data "
                "and in the same precision"
            )
        time.sleep(1)
    return read_json(path)


def _run(trials: Trials, work: Path, progress: Progress) -> Oracle:
    """Run what is left of the search; returns the oracle, which in a worker has no trials."""

    def train(trial: Trial) -> float:
        accuracy = trials.train(trial)
        trials.save_clock()
        return accuracy

    def ended(oracle: Oracle, _: Trial) -> None:
        progress.ended(*oracle.done(), oracle.get_best_trials()[0].score)

    oracle = Oracle(trials.search, ended)
    tuner = Tuner(oracle, work / "oracle", train)
    done, epochs = oracle.done()
    rungs = oracle.rungs()
    begun = sum(rung.trials for rung in rungs if rung.number == 0)
    section, possible = f"searches.{trials.name}", size(trials.search.space)
    if possible < begun:
        raise UserError(
            f"{section}.space holds {possible:.0f} different trainings, and the search begins "
            f"with {begun}; give it more choices, or lower {section}.max_epochs"
        )
    expected = sum(rung.trials for rung in rungs)
    progress.begin(rungs, epochs)
    if done:
        progress.say(f"resuming: {done} of {expected} trials are done")
    if not (is_chief() and done == expected):  # else it would wait for workers in vain
        tuner.search()
    if not is_worker() and oracle.done()[0] < expected:
        progress.say(f"no more different trainings were found in {section}.space by chance")
    return oracle


def _record(trials: Trials, oracle: Oracle, work: Path) -> dict[str, Any]:
    """What search.json holds.

    Raises:
        UserError: no trial was completed.
    """
    rows = [trials.result(trial) for trial in sorted(oracle.trials)]
    completed = [row for row in rows if row["status"] == "completed"]
    if not completed:
        raise UserError(
            f"all {len(rows)} trials failed, the last with: {rows[-1]['message']}; "
            f"change searches.{trials.name}.space in params.yaml"
        )
    search = trials.search
    clocks = [read_json(path)["seconds"] for path in work.glob("clock_*.json")]
    return {
        "variant": trials.name,
        "objective": OBJECTIVE,
        "max_epochs": search.max_epochs,
        "factor": search.factor,
        "seed": search.seed,
        "seconds": sum(clocks) / len(clocks),
        "step_seconds": sum(row["step_seconds"] for row in rows),
        "workers": len(clocks),
        "dimensions": [dimension.describe() for dimension in dimensions(search.space)],
        "trials": rows,
        "winner": max(completed, key=lambda row: row["val_accuracy"])["trial"],
    }
