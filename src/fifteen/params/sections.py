"""The sections of params.yaml as strict models, with their defaults and what is allowed."""

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from fifteen.common.errors import UserError
from fifteen.params.search_space import merge

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
)
from pydantic import model_validator as validator

Epochs = Annotated[int, Field(ge=1, le=1000)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
BelowOne = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Strict(BaseModel):
    """Base of all sections: no unknown keys, no type coercion, no change after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Finite = Annotated[float, Field(allow_inf_nan=False)]
PercentRange = Annotated[list[Percent], Field(min_length=2, max_length=2)]


class Split(Strict):
    """Which percent ranges of the source's training images make which part."""

    train: Annotated[list[PercentRange], Field(min_length=1)]
    validation: Annotated[list[PercentRange], Field(min_length=1)]

    @validator(mode="after")
    def _ranges_are_disjoint(self) -> Self:
        ranges = sorted((*self.train, *self.validation))
        for start, end in ranges:
            if start >= end:
                raise ValueError(
                    f"the range {[start, end]} is empty; its start must be below its end"
                )
        for (start, end), (next_start, next_end) in itertools.pairwise(ranges):
            if next_start < end:
                raise ValueError(
                    f"the ranges {[start, end]} and {[next_start, next_end]} overlap; "
                    "train and validation must be disjoint"
                )
        return self


class Data(Strict):
    """Where the images come from and how they are cut."""

    source: Literal["cifar100", "cifar10", "digits"]
    split: Split


class Budget(Strict):
    """What a model may spend: passes over the training images, each of so many steps at least."""

    epochs: Epochs
    min_steps_per_epoch: Annotated[int, Field(ge=1, le=1000)] = 1  # see training/adaptation.py


class Hardware(Strict):
    """How the machine is used.

    `precision: auto` is mixed bfloat16 where the device computes in it; `strategy: auto` is
    mirrored where there are several GPUs.
    """

    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    strategy: Literal["auto", "single", "mirrored"] = "auto"


class Constant(Strict):
    """The same learning rate at every step."""

    name: Literal["constant"]
    rate: Rate


class Piecewise(Strict):
    """`rate` times the factor of the last `[from epoch, factor]` that has begun (epochs from 1)."""

    name: Literal["piecewise"]
    rate: Rate
    factors: Annotated[
        list[Annotated[list[Finite], Field(min_length=2, max_length=2)]], Field(min_length=1)
    ]

    @validator(mode="after")
    def _factors_are_ordered(self) -> Self:
        epochs = [epoch for epoch, _ in self.factors]
        if epochs[0] != 1 or any(b <= a for a, b in itertools.pairwise(epochs)):
            raise ValueError("the epochs of `factors` must start at 1 and increase")
        if any(epoch != int(epoch) for epoch in epochs) or any(f < 0 for _, f in self.factors):
            raise ValueError("each of `factors` is [whole epoch, factor of at least 0]")
        if any(self.rate * factor > 10 for _, factor in self.factors):
            raise ValueError("`rate` times a factor must be at most 10")
        return self


class Triangular(Strict):
    """A triangle wave between 0 and `peak`.

    Per step it begins at 0. Per epoch, as the original study had it, the first epoch, before the
    wave, is at `peak`.
    """

    name: Literal["triangular"]
    peak: Rate
    half_cycle_epochs: Epochs
    per: Literal["epoch", "step"] = "epoch"


class Cosine(Strict):
    """Cosine annealing per step from `peak` to 0, in `cycles` equal parts with warm restarts."""

    name: Literal["cosine"]
    peak: Rate
    cycles: Annotated[int, Field(ge=1)] = 1


class Linear(Strict):
    """A straight line per step from `peak` to 0."""

    name: Literal["linear"]
    peak: Rate


Restart = Annotated[list[Share], Field(min_length=2, max_length=2)]  # [from share of the steps,
# height in multiples of the peak]


class OneCycle(Strict):
    """Per step in a straight line from 0 up to `peak`, then down to `floor` times it.

    Each restart ends the cycle before it and begins another one of the same shape, as high as it
    says.
    """

    name: Literal["one_cycle"]
    peak: Rate
    warmup: BelowOne = 0.25  # share of a cycle's steps on the way up
    floor: Share = 0.0
    anneal: Literal["linear", "cosine"] = "linear"  # the way down
    restarts: list[Restart] = []

    @validator(mode="after")
    def _restarts_are_ordered(self) -> Self:
        starts = [0.0, *(start for start, _ in self.restarts), 1.0]
        if any(b <= a for a, b in itertools.pairwise(starts)):
            raise ValueError("the shares of `restarts` must increase, between 0 and 1")
        return self


class Baseline(Strict):
    """The given weak CNN."""

    name: Literal["baseline"]
    normalize_input: bool = False  # pixels to [-1, 1]; else they go in as they are, 0 to 255


class Refined(Strict):
    """The original study's pre-activation blocks."""

    name: Literal["refined"]


Activation = Literal["relu", "leaky_relu", "tanh"]
Units = Annotated[int, Field(ge=1, le=4096)]


class Convnet(Strict):
    """The network that the original study searched; the defaults are those of the given network."""

    name: Literal["convnet"]
    filters_1: Units = 32
    filters_2: Units = 64
    conv_activation: Activation = "relu"  # of the second convolution; the first has ReLU
    conv_slope: Share = 0.2  # read by leaky_relu alone
    dense_units: Units = 512
    dense_activation: Activation = "relu"
    dense_slope: Share = 0.2  # read by leaky_relu alone
    dropout: BelowOne = 0.5
    normalize_input: bool = False  # pixels to [-1, 1]; else they go in as they are, 0 to 255


class Swift(Strict):
    """A residual network that learns as much as it can in few epochs."""

    name: Literal["swift"]
    width: Annotated[int, Field(ge=1, le=512)] = 128  # filters of the first of three groups
    activation: Literal["relu", "silu", "gelu"] = "relu"
    whitening: bool = True  # a stem computed from training images, not learned
    identity_init: bool = True  # convolutions begin as the identity
    residual: bool = True
    logit_scale: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 0.14


def _named(section: Any) -> Any:  # noqa: ANN401 - anything YAML can hold
    """`baseline` is short for `{name: baseline}`."""
    return {"name": section} if isinstance(section, str) else section


Network = Annotated[
    Baseline | Refined | Convnet | Swift, Field(discriminator="name"), BeforeValidator(_named)
]


class Adam(Strict):
    """Adam (Kingma and Ba 2015, arXiv:1412.6980)."""

    name: Literal["adam"]


class AdamW(Strict):
    """Adam with the decoupled weight decay 0.004 (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    name: Literal["adamw"]


class SGD(Strict):
    """Gradient descent with Nesterov momentum."""

    name: Literal["sgd"]
    momentum: BelowOne = 0.9


class Muon(Strict):
    """Orthogonalised momentum for convolution kernels, SGD for the rest; see training/muon.py."""

    name: Literal["muon"]
    momentum: BelowOne = 0.6
    newton_schulz_steps: Annotated[int, Field(ge=1, le=20)] = 3
    sgd_rate: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 7.67  # times the rate
    sgd_momentum: BelowOne = 0.9
    weight_decay_of_dense: Share = 0.0005


Optimizer = Annotated[
    Adam | AdamW | SGD | Muon, Field(discriminator="name"), BeforeValidator(_named)
]


class Lookahead(Strict):
    """The weights go on from a running average of theirs; see training/averaging.py."""

    name: Literal["lookahead"]
    every: Annotated[int, Field(ge=1)] = 4  # steps
    decay: BelowOne = 0.95  # per step, at the end
    power: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 3.0


class EMA(Strict):
    """The model is a running average of the weights; see training/averaging.py."""

    name: Literal["ema"]
    every: Annotated[int, Field(ge=1)] = 4  # steps
    decay: BelowOne = 0.99  # per step


Averaging = Annotated[Lookahead | EMA, Field(discriminator="name"), BeforeValidator(_named)]


class Augmentation(Strict):
    """Random changes of the training images, drawn anew in every epoch."""

    flip: Literal[False, True, "alternating"] = False  # mirrored left to right, every second image
    crop: Annotated[int, Field(ge=0, le=16)] = 0  # shifted by up to so many pixels, edges reflected
    cutout: Annotated[int, Field(ge=0, le=32)] = 0  # side of a grey square, in pixels
    cutmix: Share = 0.0  # of the images, with a part of another one
    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0  # α of the shares of two mixed images


Schedule = Annotated[
    Constant | Piecewise | Triangular | Cosine | Linear | OneCycle, Field(discriminator="name")
]
Resolution = Annotated[
    list[Annotated[list[Finite], Field(min_length=2, max_length=2)]], Field(min_length=1)
]
Monitor = Literal["val_accuracy", "val_loss"]
# So many, equally spaced, the last at the end; or after which shares of the steps.
Snapshots = Annotated[
    Annotated[int, Field(ge=0, le=100), Tag("number")]
    | Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(max_length=100), Tag("shares")],
    Discriminator(lambda given: "shares" if isinstance(given, list) else "number"),
]


class Training(Strict):
    """One training: a network, how it is optimised, and how its best epoch is chosen."""

    network: Network
    optimizer: Optimizer = Adam(name="adam")
    schedule: Schedule = Constant(name="constant", rate=0.001)
    label_smoothing: BelowOne = 0.0
    self_distillation: BelowOne = 0.0  # share of the network's own answers in its last targets
    augmentation: Augmentation = Augmentation()
    averaging: Averaging | None = None
    resolution: Resolution | None = None  # [from share of the steps, pixels]; none: as it is
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 128
    epochs: Epochs | None = None  # the whole budget
    monitor: Monitor = "val_accuracy"
    patience: Epochs | None = None  # epochs without improvement before it stops; none: never
    snapshots: Snapshots = 0
    snapshot_weights: Literal["averaged", "raw"] = "averaged"  # alike where nothing is averaged

    @property
    def snapshot_count(self) -> int:
        """How many snapshots a training that does not stop early leaves."""
        return len(self.snapshots) if isinstance(self.snapshots, list) else self.snapshots

    @validator(mode="after")
    def _snapshots_are_ordered(self) -> Self:
        shares = self.snapshots if isinstance(self.snapshots, list) else []
        if any(b <= a for a, b in itertools.pairwise(shares)):
            raise ValueError("the shares of `snapshots` must increase")
        return self

    @validator(mode="after")
    def _answers_are_of_one_image(self) -> Self:
        if self.self_distillation and (self.augmentation.cutmix or self.augmentation.mixup):
            raise ValueError(
                "`self_distillation` needs images that are not mixed; leave out cutmix and mixup"
            )
        return self

    @validator(mode="after")
    def _resolution_fits(self) -> Self:
        if self.resolution is None:
            return self
        if self.network.name != "swift":
            raise ValueError(
                f"`resolution` needs a network for images of any size (swift), "
                f"not {self.network.name}"
            )
        starts, sizes = zip(*self.resolution, strict=True)
        if starts[0] != 0 or any(b <= a for a, b in itertools.pairwise(starts)) or starts[-1] >= 1:
            raise ValueError("the shares of `resolution` must start at 0 and increase below 1")
        if any(size != int(size) or not 9 <= size <= 224 for size in sizes):
            raise ValueError("each of `resolution` is [share of the steps, 9 to 224 whole pixels]")
        return self


class Search(Strict):
    """A Hyperband search (Li et al. 2018, arXiv:1603.06560), and the model that comes of it.

    No key has a default, as DVC looks up each of them in params.yaml.
    """

    training: dict[str, Any]  # values of its own for the model; null: as the search finds it
    max_epochs: Epochs  # of the trials that get furthest
    factor: Annotated[int, Field(ge=2, le=100)]  # one of so many trials goes on, so much longer
    patience: Epochs | None  # epochs without improvement before a trial stops; none: never
    seed: Annotated[int, Field(ge=1, lt=2**31)]  # keras-tuner takes 0 for none
    space: dict[str, Any]  # a training with choices, see search_space.py

    def settings(self) -> dict[str, Any]:
        """What decides the outcome of the search: all but `training`, as plain data."""
        return self.model_dump(exclude={"training"})

    def complete(self, chosen: Mapping[str, Any]) -> Training:
        """The model's training: the values of `training` and, where it has none, the chosen ones.

        Args:
            chosen: a training section, what the search has found.

        Raises:
            UserError: the two make no training together.
        """
        try:
            return Training.model_validate(merge(chosen, self.training))
        except ValidationError as error:
            problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise UserError(
                f"what was found does not go with params.yaml ({'; '.join(problems)}); search again"
            ) from None


Rule = Literal["sum", "logits", "vote", "weighted", "greedy", "average"]


class Ensemble(Strict):
    """The snapshots of one training, combined by one rule; see `fifteen.ensembling`.

    `sum` of the probabilities or of the `logits`, majority `vote`, a sum with `weighted` members or
    with those of a `greedy` selection, both by the validation images, or `average` of the weights;
    `best` is the one of these that has most of the validation images right.
    """

    variant: str  # or a search
    method: Literal[Rule, "best"]


Section = TypeVar("Section", Training, Search, Ensemble)


class Params(Strict):
    """The whole of params.yaml."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    data: Data
    budget: Budget
    hardware: Hardware
    baseline: Training
    variants: dict[Name, Training]
    searches: dict[Name, Search]
    ensembles: dict[Name, Ensemble]
    test_time_augmentation: bool = False  # judge by several views of an image too

    def training(self, name: str, chosen: Mapping[str, Any] | None = None) -> Training:
        """The training called `name`, with its number of epochs filled in.

        Args:
            name: `baseline`, or that of a variant or a search.
            chosen: the training section that the search has found; read for a search only.

        Raises:
            UserError: no training has that name (a search's has none without `chosen`), or what was
                chosen does not go with the values in params.yaml.
        """
        trainings = {"baseline": self.baseline, **self.variants}
        if chosen is not None and name in self.searches:
            trainings[name] = self.searches[name].complete(chosen)
        section = _lookup(trainings, name, "training")
        return section.model_copy(update={"epochs": section.epochs or self.budget.epochs})

    def search(self, name: str) -> Search:
        """The search called `name`.

        Raises:
            UserError: no search has that name.
        """
        return _lookup(self.searches, name, "search")

    def ensemble(self, name: str) -> Ensemble:
        """The ensemble called `name`.

        Raises:
            UserError: no ensemble has that name.
        """
        return _lookup(self.ensembles, name, "ensemble")

    def model_names(self) -> list[str]:
        """Every model of the results table: baseline, variants, searches, ensembles."""
        return ["baseline", *self.variants, *self.searches, *self.ensembles]


def _lookup(sections: dict[str, Section], name: str, kind: str) -> Section:
    if name not in sections:
        raise UserError(
            f"no {kind} is called {name!r} in params.yaml; "
            f"there are: {', '.join(sections) or 'none'}"
        )
    return sections[name]
