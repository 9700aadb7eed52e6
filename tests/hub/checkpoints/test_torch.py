"""What torch saved, against what torch loads; and nothing in a file is ever called."""

import pickle

import numpy as np
import pytest

from auricle.errors import WeightsError
from auricle.hub.checkpoints import torch as checkpoint

torch = pytest.importorskip("torch")


@pytest.fixture(params=[True, False], ids=["zip", "sequence"])
def save(request, tmp_path):
    def saved(value):
        path = tmp_path / "model.pt"
        torch.save(value, path, _use_new_zipfile_serialization=request.param)
        return path

    return saved


def test_a_state_is_read_as_torch_reads_it(save):
    net = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 5), torch.nn.BatchNorm1d(3))
    path = save({"step": 7, "rate": 0.5, "model": net.state_dict(), "sizes": [(1, 2), None, True]})
    found = checkpoint.read(path)
    assert (found["step"], found["rate"], found["sizes"]) == (7, 0.5, [(1, 2), None, True])
    assert list(found["model"]) == list(net.state_dict())
    for name, tensor in net.state_dict().items():
        assert found["model"][name].dtype == tensor.numpy().dtype
        assert np.array_equal(found["model"][name], tensor.numpy())


def test_views_of_one_storage(save):
    whole = torch.arange(12.0).reshape(3, 4)
    found = checkpoint.read(save((whole, whole.T, whole[1:, ::2], whole[2, 3], whole[:0])))
    assert [part.tolist() for part in found] == [
        part.tolist() for part in (whole, whole.T, whole[1:, ::2], whole[2, 3], whole[:0])
    ]


def test_types(save):
    tensors = {str(kind): torch.arange(5).to(kind) for kind in (torch.float16, torch.float64, torch.int32, torch.int64)}
    for kind, found in checkpoint.read(save(tensors)).items():
        assert str(found.dtype) == kind.removeprefix("torch.")
        assert found.tolist() == [0, 1, 2, 3, 4]


class Trap:
    def __reduce__(self):
        return exec, ("raise AssertionError('the file was run')",)


def test_nothing_is_called(save):
    assert checkpoint.read(save({"model": torch.ones(2), "trap": Trap()}))["trap"] is None


@pytest.mark.parametrize("content", [b"", b"RIFF", pickle.dumps({1, 2}), pickle.dumps([1]) * 5])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read as a torch checkpoint"):
        checkpoint.read(path)


def test_a_file_cut_short_is_refused(save):
    path = save({"model": torch.ones(1000)})
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(WeightsError):
        checkpoint.read(path)


def test_a_tensor_beyond_its_storage_is_refused():
    storage = np.zeros(4, np.float32)
    for offset, shape, strides in [(0, (5,), (1,)), (3, (2,), (1,)), (0, (2, 2), (3, 2)), (-1, (1,), (1,))]:
        with pytest.raises(ValueError, match="beyond"):
            checkpoint._tensor(storage, offset, shape, strides)
