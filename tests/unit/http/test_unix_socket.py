import errno
import os
import socket
import stat
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from incident_manager.http.unix_socket import MODE, unix_listener


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A short path: the kernel takes 107 bytes."""
    monkeypatch.chdir(tmp_path)
    return "s"


def talk(place: str) -> None:
    """Connect to what listens there."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(place)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_it_listens_for_its_user_and_group_and_is_gone_at_the_end(place: str, umask: int) -> None:
    before = os.umask(umask)
    try:
        with unix_listener(place) as listener:
            talk(place)
            listener.accept()[0].close()
            assert stat.S_IMODE(os.lstat(place).st_mode) == MODE
    finally:
        assert os.umask(before) == umask
    assert not os.path.lexists(place)
    assert listener.fileno() == -1


def test_the_file_of_one_that_has_died_is_replaced(place: str) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(place)
        dead.listen()
    with pytest.raises(ConnectionRefusedError):
        talk(place)
    with unix_listener(place):
        talk(place)


def test_a_living_one_is_left_alone(place: str) -> None:
    with unix_listener(place):
        with pytest.raises(OSError) as refused, unix_listener(place):
            pass
        assert (refused.value.errno, refused.value.strerror) == (
            errno.EADDRINUSE,
            "another server listens there",
        )
        talk(place)


def test_a_living_one_whose_queue_is_full_is_left_alone(place: str) -> None:
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(place)
        busy.listen(0)
        waiting: list[socket.socket] = []
        try:
            while True:
                sock = socket.socket(socket.AF_UNIX)
                sock.setblocking(False)
                waiting.append(sock)
                try:
                    sock.connect(place)
                except BlockingIOError:
                    break
            with pytest.raises(OSError, match="another server"), unix_listener(place):
                pass
        finally:
            for sock in waiting:
                sock.close()
    assert os.path.lexists(place)


def test_what_is_no_socket_is_left_alone(place: str) -> None:
    Path(place).write_text("precious")
    with pytest.raises(FileExistsError, match="no socket"), unix_listener(place):
        pass
    assert Path(place).read_text() == "precious"


def test_a_socket_of_another_kind_is_left_alone(place: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(place)
        with pytest.raises(OSError), unix_listener(place):
            pass
        assert os.path.lexists(place)


def test_a_link_is_not_followed(place: str) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind("elsewhere")
    os.symlink("elsewhere", place)
    with pytest.raises(FileExistsError, match="no socket"), unix_listener(place):
        pass
    assert os.path.lexists("elsewhere")


@pytest.mark.parametrize("path", ["nowhere/s", "s" * 120])
def test_a_path_that_cannot_be(place: str, path: str) -> None:
    with pytest.raises(OSError), unix_listener(path):
        pass
    assert os.listdir() == []


def test_what_another_has_put_in_its_place_stays(place: str) -> None:
    with ExitStack() as later:
        with unix_listener(place) as first:
            first.close()
            later.enter_context(unix_listener(place))
        talk(place)
    assert not os.path.lexists(place)


def test_no_harm_if_somebody_has_tidied_already(place: str) -> None:
    with unix_listener(place):
        os.unlink(place)
    assert not os.path.lexists(place)


def test_of_two_at_once_one_gets_it(place: str) -> None:
    """Both see the file of a dead one."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(place)
    got: list[bool] = []
    ready, over = threading.Barrier(8), threading.Barrier(8)

    def take() -> None:
        ready.wait()
        try:
            with unix_listener(place):
                got.append(True)
                over.wait()
        except OSError:
            got.append(False)
            over.wait()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 7 + [True]
