"""NAS-Bench-301's surrogates: small ones in the official layout, one of the official package's, boosters of 2020."""

import importlib.util
import json
import os
import pickle
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from nadlab.benchmarks.convert import convert
from nadlab.benchmarks.official import configspace
from nadlab.benchmarks.official.configspace import columns, official_file
from nadlab.benchmarks.official.lightgbm_models import read_lightgbm
from nadlab.benchmarks.official.nasbench301 import BOOSTERS, on_choices, read_nasbench301
from nadlab.benchmarks.official.unpickle import read_pickle
from nadlab.benchmarks.official.xgboost_models import read_xgboost
from nadlab.benchmarks.registry import archives, verify
from nadlab.benchmarks.surrogates.features import VECTORS, darts_choices
from nadlab.benchmarks.surrogates.surrogate import SurrogateBenchmark
from nadlab.benchmarks.surrogates.trees import Model, Tree, ensemble
from nadlab.errors import UserError
from nadlab.queries.budget import Account, Budget
from nadlab.queries.ledger import QueryLedger
from nadlab.spaces import Cells, space
from nadlab.spaces.cells import concatenate
from nadlab.spaces.darts.cells import INNER_OPERATIONS

DARTS = space("darts")
NORMAL = [("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2)]  # fmt: skip
FILES = Path(__file__).parent / "files"
MEMBERS = 3
FEATURES = 56


def vectors(cells: Cells) -> NDArray[np.float64]:
    """Return what the official package's surrogates read of cells, (N, 56)."""
    read = columns()
    return np.where(read.feature < 0, read.setting, darts_choices(cells)[:, read.feature])


def write_member(folder: Path, model: object, kind: str) -> None:
    folder.mkdir(parents=True)
    (folder / "surrogate_model.model").write_bytes(pickle.dumps(model))
    (folder / "model_config.json").write_text(json.dumps({"model": kind, "param:num_rounds": 40}))
    (folder / "data_config.json").write_text(json.dumps({"seed": 6}))


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any], list[Any]]:
    """A folder in the official layout, and the boosters in it."""
    root = tmp_path_factory.mktemp("models") / "nb_models_1.0"
    rng = np.random.default_rng(0)
    features = vectors(DARTS.sample(2_000, rng))
    settings_of = np.flatnonzero(columns().feature < 0)
    features[:, settings_of] *= rng.choice([0.5, 1, 2], size=(2_000, len(settings_of)))
    accuracy = 90 + features[:, 10] / 2 + features[:, 33] * features[:, 11] / 9 + rng.normal(size=2_000) / 9
    accuracy += features[:, settings_of[[0, 5, 10]]].sum(axis=1)
    accurate, slow = [], []
    for seed in range(MEMBERS):
        chosen = rng.integers(0, 2_000, 1_500)
        settings = {"objective": "reg:squarederror", "max_depth": 5, "seed": seed, "nthread": 1}
        data = xgboost.DMatrix(features[chosen], label=accuracy[chosen])
        accurate.append(xgboost.train(settings, data, num_boost_round=30))
        write_member(root / "xgb_v1.0" / f"ensemble_member_{seed}", accurate[-1], "xgb")
        train = lightgbm.Dataset(features[chosen], label=60 * accuracy[chosen])
        valid = lightgbm.Dataset(features[:300], label=60 * accuracy[:300])
        quiet = {"objective": "regression", "verbose": -1, "num_threads": 1, "seed": seed, "learning_rate": 0.5}
        stop = [lightgbm.early_stopping(3, verbose=False)]
        slow.append(lightgbm.train(quiet, train, 60, valid_sets=[valid], callbacks=stop))
        write_member(root / "lgb_runtime_v1.0" / f"ensemble_member_{seed}", slow[-1], "lgb_time")
    return root, accurate, slow


@pytest.fixture(scope="module")
def archive(official: tuple[Path, list[Any], list[Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NADLAB_CACHE", str(folder))
        return convert(official[0])


def opened(archive: Path, preset: str = "paper") -> SurrogateBenchmark:
    oracle = archives(archive, preset)["nasbench301-v1.0"]()
    assert isinstance(oracle, SurrogateBenchmark)
    return oracle


def test_the_vector_of_the_published_example_is_configspace_s() -> None:
    # ConfigSpace 0.6.1 on configspace.json and the genotype of automl/nasbench301 example.py; normal cell for both
    text = f"Genotype(normal={NORMAL}, normal_concat=[2, 3, 4, 5], reduce={NORMAL}, reduce_concat=[2, 3, 4, 5])"
    expected = [
        0.5863451791322553, 0, 0, 0, 0.16666444442962952, 0.3099999239999697, 0, 0, 0, 0,
        3, 3, 3, 3, 0.003149999006299998, 0, 0, 1, 0, 0, 1, 0.000749999001499998, 0, 0,
        -3.6888794541139363, 0.8988764044943821, -8.111728083308073, 0.009949999019899998, 1e-12, 0, 0, 0.7051278400653053,
        *2 * [-1, 5, -1, -1, 3, 3, -1, 2, 3, -1, -1, 2],
    ]  # fmt: skip
    assert vectors(DARTS.parse(text))[0] == pytest.approx(expected, rel=1e-14)


def test_choices_are_those_of_the_official_representation() -> None:
    spec = importlib.util.spec_from_file_location("representations", official_file("representations.py"))
    assert spec is not None
    assert spec.loader is not None
    official = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(official)
    assert list(INNER_OPERATIONS) == official.OPS
    space_file = json.loads(official_file("configspace.json").read_text())
    options = {one["name"]: one.get("choices") for one in space_file["hyperparameters"]}
    cells = DARTS.sample(300, np.random.default_rng(6))
    for cell, row in zip(cells, vectors(cells), strict=True):
        genotype = eval(DARTS.format(cell), {"Genotype": official.Genotype})  # noqa: S307  our own text
        chosen = official.convert_genotype_to_config(genotype)
        found = {name: int(value) for name, value in zip(columns().names, row, strict=True) if name in chosen}
        assert found == {name: options[name].index(value) for name, value in chosen.items()}
        others = columns().feature >= 0
        assert (row[others] >= 0).sum() == len(chosen)


def test_a_converted_ensemble_predicts_what_the_official_load_ensemble_predicted() -> None:
    # trained, opened and asked by the official package alone: tests/benchmarks/official_ensemble.py
    path = FILES / "nasbench301-ensemble.zip"
    official = json.loads(zipfile.Path(path, "predictions.json").read_text())
    converted = read_nasbench301(path)
    cells = concatenate([DARTS.parse(genotype) for genotype in official["genotypes"]])
    assert len(cells) == 300
    choices = VECTORS[converted.features](cells)
    assert converted.runtime is not None
    assert np.isinf(converted.performance.threshold).any()  # it split on training settings as well
    assert converted.performance.predict(choices).mean(axis=1) == pytest.approx(official["xgb"], abs=1e-4)
    assert converted.runtime.predict(choices).mean(axis=1) == pytest.approx(official["lgb_time"], rel=1e-12)
    assert np.std(official["xgb"]) > 0.1


def test_without_the_official_package_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(configspace, "find_spec", lambda _: None)
    columns.cache_clear()
    with pytest.raises(UserError, match=r"pip install 'nadlab\[nasbench301\]'"):
        read_nasbench301(tmp_path)


def test_what_is_converted_answers_without_the_packages(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = DARTS.sample(10, np.random.default_rng(7))
    expected = opened(archive).accuracies(cells)
    for name in ("nasbench301", "xgboost", "lightgbm", "nas_201_api"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(configspace, "find_spec", lambda _: None)
    columns.cache_clear()
    assert (opened(archive).accuracies(cells) == expected).all()


def test_a_tree_that_reads_no_column_is_refused() -> None:
    tree = Tree(*(np.array(column) for column in ([56, 0, 0], [1.0, 0, 0], [0.0, 1, 2], [1, -1, -1], [2, -1, -1])))
    with pytest.raises(ValueError, match="does not exist"):
        on_choices(Model((tree,), 0.0), columns(), np.float32)


def test_predictions_are_the_libraries_own(official: tuple[Path, list[Any], list[Any]], archive: Path) -> None:
    _, accurate, slow = official
    oracle = opened(archive)
    cells = DARTS.sample(500, np.random.default_rng(1))
    features = vectors(cells)
    expected = np.mean([booster.predict(xgboost.DMatrix(features)) for booster in accurate], axis=0)
    assert oracle.accuracies(cells) == pytest.approx(expected, abs=1e-4)
    assert all(booster.best_iteration < 60 for booster in slow)
    expected = np.mean([booster.predict(features) for booster in slow], axis=0)
    assert oracle.seconds(cells) == pytest.approx(expected, abs=1e-6)


def test_a_budget_in_seconds_is_paid_by_the_runtime_surrogate(archive: Path) -> None:
    oracle = opened(archive)
    mean = oracle.fidelities.seconds
    assert mean is not None
    account = Account(oracle, Budget(10.5 * mean, "seconds"))
    assert account.remaining == 10
    cells = DARTS.sample(3, np.random.default_rng(1))
    assert [each.seconds for each in oracle.evaluate(cells)] == oracle.seconds(cells).tolist()


@pytest.mark.parametrize("version", ["1.0.2", "1.2.0"])
def test_boosters_of_2020_predict_what_they_predicted_then(version: str) -> None:
    # trained and pickled by that XGBoost on these features; today's XGBoost cannot open them
    path = FILES / f"xgboost-{version}.pickle"
    booster = read_pickle(path.read_bytes(), BOOSTERS, path)
    trees = ensemble([read_xgboost(booster.state["handle"], str(path))], FEATURES)
    features = np.random.RandomState(0).randint(-1, 7, size=(400, 56)).astype(float)
    expected = [87.94298, 85.57187, 87.94298, 88.26569, 94.25169, 90.31483, 88.75035, 85.54242, 95.08178, 84.83891]
    assert trees.predict(features[:10])[:, 0] == pytest.approx(expected, abs=2e-5)


def test_a_runtime_booster_of_2020_predicts_what_it_predicted_then_without_lightgbm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    path = FILES / "lightgbm-2.3.1.pickle"
    state = read_pickle(path.read_bytes(), BOOSTERS, path).state
    trees = ensemble([read_lightgbm(state["handle"], state["best_iteration"], str(path))], FEATURES)
    features = np.random.RandomState(0).randint(-1, 7, size=(400, 56)).astype(float)
    expected = [91.39677, 89.08964, 91.51552, 93.5102, 100.6677, 95.56843, 96.34384, 88.97908, 105.50442, 89.54395]
    assert trees.predict(features[:10])[:, 0] == pytest.approx(expected, abs=1e-5)


def test_todays_boosters_are_read_as_xgboost_reads_them_and_without_it(
    official: tuple[Path, list[Any], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    boosters = [{form: bytes(one.save_raw(form)) for form in ("ubj", "json")} for one in official[1]]
    monkeypatch.setitem(sys.modules, "xgboost", None)
    for forms in boosters:
        assert forms["ubj"] != forms["json"]
        ours, theirs = (read_xgboost(forms[form], form) for form in ("ubj", "json"))
        assert ours.base == theirs.base
        for one, other in zip(ours.trees, theirs.trees, strict=True):
            assert all((a == b).all() for a, b in zip(vars(one).values(), vars(other).values(), strict=True))


def test_the_zip_is_read_like_the_folder(official: tuple[Path, list[Any], list[Any]], tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "models"), "zip", official[0].parent))
    one, two = read_nasbench301(official[0]), read_nasbench301(packed)
    cells = darts_choices(DARTS.sample(20, np.random.default_rng(2)))
    assert (one.performance.predict(cells) == two.performance.predict(cells)).all()


def test_every_cell_can_be_asked_and_the_ledger_counts(archive: Path) -> None:
    oracle = opened(archive)
    ledger = QueryLedger(oracle, 10)
    cells = DARTS.sample(10, np.random.default_rng(3))
    assert (ledger.query(cells) == oracle.accuracies(cells)).all()
    assert ledger.queries[0].test is None
    assert (ledger.regret() or 0) > 0
    assert (oracle.search_split, oracle.report_split) == ("valid", "valid")


def test_noise_is_as_wide_as_the_ensemble_s_spread_and_always_the_same(archive: Path) -> None:
    quiet, noisy = opened(archive), opened(archive, "naslib")
    cells = DARTS.sample(4_000, np.random.default_rng(4))
    answers = noisy.accuracies(cells)
    assert (answers == opened(archive, "naslib").accuracies(cells)).all()
    spread = quiet.surrogate.performance.predict(darts_choices(cells)).std(axis=1)
    normal = (answers - quiet.accuracies(cells)) / spread
    assert normal.mean() == pytest.approx(0, abs=0.05)
    assert normal.std() == pytest.approx(1, abs=0.05)


def test_the_best_known_cell_beats_random_ones(archive: Path) -> None:
    oracle = opened(archive)
    assert oracle.optimum > oracle.accuracies(DARTS.sample(3_000, np.random.default_rng(5))).max()


def test_verify_finds_changed_bytes(archive: Path, tmp_path: Path) -> None:
    assert verify(archive) == opened(archive).digest
    data = bytearray(archive.read_bytes())
    data[-3] ^= 1
    (tmp_path / "changed.safetensors").write_bytes(data)
    with pytest.raises(UserError, match="wrong digest"):
        verify(tmp_path / "changed.safetensors")


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


def test_several_versions_in_one_folder_are_refused_wherever_that_lies(tmp_path: Path) -> None:
    place = tmp_path / "xgb_v0.8_and_others"
    for version in ("xgb_v0.9", "xgb_v1.0"):
        write_member(place / version / "0", None, "xgb")
        (place / version / "0" / "surrogate_model.model").write_bytes((FILES / "xgboost-1.2.0.pickle").read_bytes())
    with pytest.raises(UserError, match=r"several surrogates, xgb_v0\.9 and xgb_v1\.0: name the folder of one"):
        read_nasbench301(place)
    shutil.rmtree(place / "xgb_v0.9")
    assert read_nasbench301(place).space == "darts"


def damaged(folder: Path, name: str) -> Path:
    model = folder / "xgb_v1.0" / "0" / "surrogate_model.model"
    legacy = (FILES / "xgboost-1.2.0.pickle").read_bytes()
    write_member(model.parent, None, "xgb")
    changes: dict[str, bytes] = {
        "hostile": pickle.dumps(Hostile()),
        "no booster": pickle.dumps({"handle": b""}),
        "empty": b"",
        "truncated pickle": legacy[:-100],
        "truncated model": legacy.replace(b"CONFIG-offset:", b"CONFIG-offset;", 1),
        "another objective": legacy.replace(b"reg:squarederror", b"bin:logisticxxxx", 1),
        "another booster": legacy.replace(b"gbtree", b"gblear", 1),
        "huge byte array": b"cbuiltins\nbytearray\n(I9999999999\ntR.",
    }
    model.write_bytes(changes.get(name, legacy))
    if name == "no configuration":
        (model.parent / "model_config.json").unlink()
    elif name == "configuration no JSON":
        (model.parent / "model_config.json").write_text("{")
    elif name == "graph network":
        (model.parent / "model_config.json").write_text('{"model": "gnn_gin"}')
    elif name == "LightGBM under XGBoost's name":
        (model.parent / "model_config.json").write_text('{"model": "lgb_time"}')
    elif name == "zip bomb":
        packed = folder / "bomb.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as container:
            container.writestr("xgb_v1.0/0/model_config.json", b" " * 50_000_000)
            container.writestr("xgb_v1.0/0/surrogate_model.model", b"")
        return packed
    elif name == "no zip":
        (folder / "models.zip").write_bytes(b"<html>")
        return folder / "models.zip"
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "hostile",
        "no booster",
        "empty",
        "truncated pickle",
        "truncated model",
        "another objective",
        "another booster",
        "huge byte array",
        "no configuration",
        "configuration no JSON",
        "graph network",
        "LightGBM under XGBoost's name",
        "zip bomb",
        "no zip",
    ],
)
def test_damaged_and_hostile_surrogates_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=str(tmp_path / "in")):
        read_nasbench301(damaged(tmp_path / "in", name))
    assert not (tmp_path / "ran").exists()
