# SPDX-License-Identifier: Apache-2.0
"""A guest's disk, network, shared folder and random numbers, as DISK=, NET=, SHARE= and RNG= give them: Debian's kernel
drives them with its own drivers, what it writes is on the host and what the host has is in it, and faults of the host's
become the guest's errors and no more."""

import gzip
import hashlib
import http.server
import os
import re
import socket
import subprocess
import threading
from pathlib import Path

import make_disk
import pytest
import shell_initrd
from fetch_kernel import fetch as fetch_kernel

TROUBLE = re.compile(r"Kernel panic|Oops|BUG:|Call trace|rcu.*stall|soft lockup|Internal error")
MIB = 1 << 20


def no_trouble(linux):
    assert [line for line in linux.lines if TROUBLE.search(line)] == []


def last(text):
    """The last line of a command's output, without the kernel's messages before it."""
    return text.strip().splitlines()[-1]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def boot(boot_linux, drivers):
    """Boots to the shell of the initrd that has the drivers."""
    def start(**parameters):
        linux = boot_linux(files=drivers, **parameters)
        linux.expect_shell()
        return linux
    return start


@pytest.fixture
def folder(tmp_path):
    """A folder with a file of random bytes, and its contents."""
    (tmp_path / "root/etc").mkdir(parents=True)
    data = os.urandom(3 * MIB + 17)
    (tmp_path / "root/etc/random").write_bytes(data)
    return tmp_path / "root", data


@pytest.fixture
def image(folder, tmp_path):
    """An ext4 image of that folder, made as `make disk` does."""
    make_disk.make(folder[0], 64 * MIB, tmp_path / "disk.img")
    return tmp_path / "disk.img"


def reload_driver(linux, name):
    linux.done(f"rmmod {name} && insmod /modules/{name}.ko")


def host_tool(*words):
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    return subprocess.run([str(word) for word in words], capture_output=True, env=environment, timeout=120)


def end(linux):
    no_trouble(linux)
    linux.send("poweroff -f\n")
    assert linux.expect_exit() == 0


@pytest.mark.parametrize("smp", [1, 4])
def test_a_disk_keeps_what_is_written(boot, folder, image, smp):
    """ext4 made of a folder: read, written, read again by a driver that was loaded anew, and after a reboot."""
    linux = boot(smp=smp, devices={"disk": image})
    linux.done("mount -t ext4 /dev/vda /mnt")
    assert last(linux.done("sha256sum /mnt/etc/random")).startswith(sha256(folder[1]))
    linux.done("dd if=/dev/urandom of=/mnt/written bs=64k count=128 2> /dev/null && sync")
    written = last(linux.done("sha256sum /mnt/written"))[:64]
    linux.done("umount /mnt")
    for _ in range(3):
        reload_driver(linux, "virtio_blk")
    linux.done("mount -t ext4 /dev/vda /mnt")
    assert last(linux.done("sha256sum /mnt/written")).startswith(written)
    linux.done("echo again > /mnt/again && umount /mnt")
    no_trouble(linux)
    linux.send("reboot -f\n")
    linux.expect_line(r"event=guest-enter")
    linux.expect_shell()
    linux.done("mount -t ext4 /dev/vda /mnt")
    assert last(linux.done("sha256sum /mnt/written")).startswith(written)
    assert last(linux.done("cat /mnt/again; umount /mnt")) == "again"
    end(linux)
    assert host_tool("e2fsck", "-fn", image).returncode == 0
    assert sha256(host_tool("debugfs", "-R", "cat /written", image).stdout) == written


def test_disks_in_their_order_and_one_to_be_read(boot, image, tmp_path):
    for name, size in (("b.img", 8), ("c.img", 16)):
        with open(tmp_path / name, "wb") as file:
            file.truncate(size * MIB)
    before = image.read_bytes()
    linux = boot(devices={"disk": f"{image},ro {tmp_path}/b.img {tmp_path}/c.img"})
    partitions = linux.done("cat /proc/partitions")
    assert re.findall(r"(\d+) (vd\w)", partitions) == [("65536", "vda"), ("8192", "vdb"), ("16384", "vdc")]
    assert last(linux.done("cat /sys/block/vda/ro /sys/block/vdb/ro | tr -d '\\n'; echo")) == "10"
    assert linux.shell("dd if=/dev/zero of=/dev/vda bs=512 count=1")[0] != 0
    linux.done("mount -t ext4 -o ro /dev/vda /mnt && cat /mnt/etc/random > /dev/null && umount /mnt")
    linux.done("echo here > /dev/vdc && sync")
    end(linux)
    assert image.read_bytes() == before
    assert (tmp_path / "c.img").read_bytes()[:5] == b"here\n" and not any((tmp_path / "b.img").read_bytes())


def test_a_disk_with_a_long_queue(boot, tmp_path):
    """A disk of 1,024 entries, by hand: Linux keeps to the pieces of data that it is offered, and none of its requests
    is too long, however large they are."""
    with open(tmp_path / "d.img", "wb") as file:
        file.truncate(32 * MIB)
    linux = boot(extra=f"-drive if=none,id=d0,format=raw,file={tmp_path}/d.img -device "
                       "virtio-blk-device,queue-size=1024,drive=d0,bus=virtio-mmio-bus.4")
    assert last(linux.done("cat /sys/block/vda/queue/max_segments")) == "1020"
    linux.done("echo 16384 > /sys/block/vda/queue/max_sectors_kb")
    linux.done("dd if=/dev/urandom of=/data bs=16M count=1 2> /dev/null; dd if=/data of=/dev/vda bs=16M oflag=direct")
    linux.done("dd if=/dev/vda bs=16M count=1 iflag=direct 2> /dev/null | cmp - /data")
    assert [line for line in linux.lines if "event=virtio-fault" in line] == []
    end(linux)


def test_a_qcow2_image(boot, image, tmp_path):
    qcow2 = tmp_path / "disk.qcow2"
    assert host_tool("qemu-img", "convert", "-O", "qcow2", image, qcow2).returncode == 0
    linux = boot(devices={"disk": qcow2})
    linux.done("mount -t ext4 /dev/vda /mnt && echo new > /mnt/new && umount /mnt")
    end(linux)
    assert host_tool("qemu-img", "convert", "-O", "raw", qcow2, image).returncode == 0
    assert host_tool("debugfs", "-R", "cat /new", image).stdout == b"new\n"


def test_a_console_goes_both_ways(boot, tmp_path):
    """A console device on a transport of the guest's: what is written to /dev/hvc0 comes out, and what is typed goes in."""
    linux = boot(extra=f"-chardev socket,id=c0,path={tmp_path}/console,server=on,wait=off -device "
                       "virtio-serial-device,bus=virtio-mmio-bus.5 -device virtconsole,chardev=c0")
    with socket.socket(socket.AF_UNIX) as console:
        console.settimeout(300)
        console.connect(f"{tmp_path}/console")
        linux.done("{ stty -echo; head -n 1 > /typed; } < /dev/hvc0 & true")
        linux.done("echo a line to hvc0 > /dev/hvc0")
        came = b""
        while b"\n" not in came:
            came += console.recv(4096)
        assert came == b"a line to hvc0\r\n"
        console.sendall(b"typed on the host\n")
        linux.done("wait")
        assert last(linux.done("cat /typed")) == "typed on the host"
        reload_driver(linux, "virtio_console")
        linux.done("echo again > /dev/hvc0")
        while b"again\r\n" not in came:
            came += console.recv(4096)
    end(linux)


def test_a_shared_folder_goes_both_ways(boot, tmp_path):
    shared, data = tmp_path / "shared", os.urandom(MIB + 5)
    (shared / "deep").mkdir(parents=True)
    (shared / "deep/from-host").write_bytes(data)
    linux = boot(devices={"share": shared})
    linux.done("mount -t 9p -o trans=virtio,version=9p2000.L share /mnt")
    assert last(linux.done("sha256sum /mnt/deep/from-host")).startswith(sha256(data))
    linux.done("dd if=/dev/urandom of=/mnt/from-guest bs=4099 count=100 2> /dev/null")
    assert sha256((shared / "from-guest").read_bytes()) == last(linux.done("sha256sum /mnt/from-guest"))[:64]
    (shared / "later").write_text("while it runs\n")
    assert last(linux.done("cat /mnt/later")) == "while it runs"
    linux.done("mkdir /mnt/made && mv /mnt/from-guest /mnt/made/moved && rm -r /mnt/deep && umount /mnt")
    assert sorted(path.name for path in shared.iterdir() if not path.name.startswith(".")) == ["later", "made"]
    reload_driver(linux, "9pnet_virtio")
    linux.done("mount -t 9p -o trans=virtio share /mnt && test -s /mnt/made/moved && umount /mnt")
    end(linux)


def test_a_shared_folder_to_be_read(boot, tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/file").write_text("as it was\n")
    linux = boot(devices={"share": f"{tmp_path}/shared,ro"})
    linux.done("mount -t 9p -o trans=virtio,version=9p2000.L share /mnt && grep -q 'as it was' /mnt/file")
    assert linux.shell("echo changed > /mnt/file")[0] != 0 and linux.shell("rm /mnt/file")[0] != 0
    end(linux)
    assert (tmp_path / "shared/file").read_text() == "as it was\n"


def network_up(linux):
    linux.done("ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0 && ip route add default via 10.0.2.2")


def serve_once(data):
    """A server on 127.0.0.1 that sends data to who comes, and keeps what it is sent; (port, thread, what came)."""
    listener, came = socket.create_server(("127.0.0.1", 0)), []

    def serve():
        with listener, listener.accept()[0] as one:
            one.sendall(data)
            one.shutdown(socket.SHUT_WR)
            came.append(b"".join(iter(lambda: one.recv(65536), b"")))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listener.getsockname()[1], thread, came


def test_tcp_in_by_a_forwarded_port_and_out(boot):
    port, data = free_port(), os.urandom(2 * MIB + 3)
    linux = boot(smp=2, devices={"net": f"user,hostfwd=tcp:127.0.0.1:{port}-:7"})
    network_up(linux)
    # Out: the guest fetches from a server of the host's, and sends back
    outside, thread, came = serve_once(data)
    linux.done(f"nc 10.0.2.2 {outside} < /modules/ext4.ko > /got")
    thread.join(60)
    assert last(linux.done("sha256sum /got")).startswith(sha256(data))
    assert [sha256(one) for one in came] == [last(linux.done("sha256sum /modules/ext4.ko"))[:64]]
    # In: somebody on the host connects to the forwarded port
    linux.done("nc -l -p 7 < /got > /in & sleep 1")
    with socket.create_connection(("127.0.0.1", port), timeout=300) as one:
        one.sendall(data[:MIB])
        assert sha256(b"".join(iter(lambda: one.recv(65536), b""))) == sha256(data)
    linux.done("wait")
    assert last(linux.done("sha256sum /in")).startswith(sha256(data[:MIB]))
    for _ in range(2):
        linux.done("ip link set eth0 down")
        reload_driver(linux, "virtio_net")
        network_up(linux)
        linux.done("ping -c 1 -W 60 10.0.2.2")
    end(linux)


def test_random_numbers_come(boot):
    linux = boot(devices={"rng": "1"})
    assert "virtio_rng" in linux.done("cat /sys/class/misc/hw_random/rng_current")
    one, other = (last(linux.done("head -c 64 /dev/hwrng | sha256sum")) for _ in range(2))
    assert one != other
    assert len(set(linux.done("head -c 4096 /dev/hwrng | hexdump -v -e '1/1 \"%02x\\n\"' | sort -u").split())) >= 250
    reload_driver(linux, "virtio-rng")
    linux.done("head -c 64 /dev/hwrng > /dev/null")
    end(linux)


def test_all_devices_at_once(boot, image, tmp_path):
    (tmp_path / "shared").mkdir()
    linux = boot(smp=4, devices={"disk": image, "net": "user", "share": tmp_path / "shared", "rng": "1"})
    network_up(linux)
    linux.done("mkdir /disk && mount -t ext4 /dev/vda /disk && mount -t 9p -o trans=virtio share /mnt")
    linux.done("(dd if=/dev/hwrng of=/disk/one bs=1k count=256; cp /disk/one /mnt/one) 2> /dev/null & "
               "ping -c 5 10.0.2.2 > /dev/null & cp /disk/etc/random /mnt/random & wait")
    linux.done("cmp /disk/one /mnt/one && cmp /disk/etc/random /mnt/random && umount /disk && umount /mnt")
    end(linux)


# ---- Faults of the host's --------------------------------------------------------------------------------------------


def faulty_disk(path, *rules):
    """QEMU's arguments for a disk whose host file fails as rules say (blkdebug), on the first transport."""
    injected = ",".join(f"inject-error.{number}.{rule}" for number, text in enumerate(rules) for rule in text.split(","))
    return (f"-blockdev driver=file,node-name=file0,filename={path} -blockdev driver=blkdebug,node-name=faulty,image=file0,{injected} "
            "-device virtio-blk-device,drive=faulty,werror=report,rerror=report,bus=virtio-mmio-bus.0")


@pytest.mark.parametrize("errno, iotype", [(28, "write"), (5, "read"), (5, "write")])
def test_a_full_or_faulty_file_is_an_error_of_the_disk(boot, tmp_path, errno, iotype):
    """ENOSPC and EIO of the host's file are I/O errors of one request; the next ones go on."""
    with open(tmp_path / "a.img", "wb") as file:
        file.truncate(8 * MIB)
    linux = boot(extra=faulty_disk(tmp_path / "a.img", f"event=none,iotype={iotype},errno={errno},sector=2048"))
    command = {"read": "dd if=/dev/vda of=/dev/null", "write": "dd conv=fsync if=/dev/zero of=/dev/vda"}[iotype]
    for at in (2048, 2048):
        place = "skip" if iotype == "read" else "seek"
        status, lines = linux.shell(f"{command} bs=4096 count=1 {place}={at // 8}")
        assert status != 0 and "error" in "\n".join(lines).lower(), lines
        linux.done(f"{command} bs=4096 count=1 {place}=1")  # elsewhere
    end(linux)
    record = re.compile(rf"class=virtio event=virtio-error device=block transport=0 op={iotype} sector=2048 bytes=4096 held=0 tag=")
    assert any(record.search(line) for line in linux.lines)


def test_a_file_that_is_removed_under_it(boot, image):
    """The host's file stays as long as QEMU has it open."""
    linux = boot(devices={"disk": image})
    image.unlink()
    linux.done("mount -t ext4 /dev/vda /mnt && echo still > /mnt/here && sync && umount /mnt")
    linux.done("mount -t ext4 /dev/vda /mnt && grep -q still /mnt/here && umount /mnt")
    end(linux)


class Qmp:
    """QEMU's own monitor at a socket, for what happens to its devices."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.command("qmp_capabilities")

    def command(self, name, arguments="{}"):
        self.file.write(f'{{"execute": "{name}", "arguments": {arguments}}}\n')
        self.file.flush()
        while '"return"' not in (line := self.file.readline()):
            assert line and '"error"' not in line, line


def test_a_network_whose_link_goes(boot, tmp_path):
    linux = boot(devices={"net": "user"}, extra=f"-qmp unix:{tmp_path}/qmp,server=on,wait=off")
    qmp = Qmp(tmp_path / "qmp")
    network_up(linux)
    linux.done("ping -c 1 -W 60 10.0.2.2")
    for up, carrier in (("false", "0"), ("true", "1")):
        qmp.command("set_link", f'{{"name": "net0", "up": {up}}}')
        linux.done(f"i=0; while [ $(cat /sys/class/net/eth0/carrier) != {carrier} ] && [ $i -lt 60 ]; do sleep 1; i=$((i+1)); done; "
                   f"[ $(cat /sys/class/net/eth0/carrier) = {carrier} ]", wait=300)
        assert (linux.shell("ping -c 1 -W 5 10.0.2.2")[0] == 0) == (up == "true")
    end(linux)


def test_a_disk_that_does_not_answer(boot, tmp_path):
    """A request that stays away for ever: the guest's other devices, its shell and the monitor go on, and a reset works."""
    with open(tmp_path / "a.img", "wb") as file:
        file.truncate(8 * MIB)
    linux = boot(smp=2, devices={"disk": tmp_path / "a.img", "rng": "1", "net": "user"},
                 extra=f"-qmp unix:{tmp_path}/qmp,server=on,wait=off")
    qmp = Qmp(tmp_path / "qmp")

    def limit(rate):
        words = ", ".join(f'"{name}": {rate if name == "bps" else 0}' for name in ("bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"))
        qmp.command("block_set_io_throttle", f'{{"device": "disk0", {words}}}')

    limit(1)  # a byte a second, of a request of 64 KiB
    linux.done("dd if=/dev/vda of=/dev/null bs=64k count=16 2> /dev/null & sleep 2; true")
    network_up(linux)
    linux.done("ping -c 1 -W 60 10.0.2.2 && head -c 64 /dev/hwrng > /dev/null")
    linux.attention()
    assert "vm=running" in linux.command("status").text
    linux.command("quit")
    linux.done("true")
    linux.send("reboot -f\n")
    linux.expect_line(r"event=guest-enter")
    limit(0)
    linux.expect_shell()
    linux.done("head -c 64 /dev/hwrng > /dev/null && dd if=/dev/vda of=/dev/null bs=64k count=16")
    linux.send("poweroff -f\n")
    assert linux.expect_exit() == 0


# ---- The installer ---------------------------------------------------------------------------------------------------


ANSWERS = ("console=ttyAMA0 quiet priority=critical locale=en_US keymap=us hostname=guest domain=none mirror/country=manual "
           "mirror/protocol=http mirror/http/hostname=10.0.2.2:{port} mirror/http/directory=/debian mirror/http/proxy=")
# Run by the installer when it begins; a message of level 0 is shown although the kernel is quiet.
FIND_DISK = """for module in {modules}; do insmod /modules/$module.ko; done
(sleep 5; echo "<0>list-devices: $(list-devices disk)" > /dev/kmsg) &
"""


@pytest.fixture
def mirror():
    """(port of a web server on 127.0.0.1, the paths that were asked for)."""
    asked = []

    class Mirror(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], asked
        server.shutdown()


def test_the_installer_finds_the_network(boot_linux, mirror):
    """Debian's installer as it is, with its own drivers: it gets an address and asks its mirror."""
    port, asked = mirror
    linux = boot_linux(devices={"net": "user", "rng": "1"}, cmdline=ANSWERS.format(port=port))
    linux.expect_text(r"Bad archive mirror|mirror does not|does not seem to be a valid", wait=900)
    assert any(path.startswith("/debian/dists/") for path in asked)
    no_trouble(linux)


def test_the_installer_finds_the_disk_and_the_network(boot_linux, drivers, installer, mirror, tmp_path):
    """The installer fetches its block driver from the mirror. Here it is put into its initrd, with the kernel that it is of."""
    _, folder, _ = fetch_kernel()
    modules = shell_initrd.with_needs(folder, ("virtio_mmio", "virtio_blk", "virtio_net", "virtio-rng"))
    files = [("modules", 0o40755, b""), *((f"modules/{name}.ko", 0o100644, data) for name, data in modules.items()),
             ("lib/debian-installer-startup.d/S00modules", 0o100644, FIND_DISK.format(modules=" ".join(modules)).encode()),
             ("TRAILER!!!", 0, b"")]
    archive = b"".join(shell_initrd.cpio_entry(number, *file) for number, file in enumerate(files, 1))
    initrd = tmp_path / "installer.gz"
    initrd.write_bytes(Path(installer[1]).read_bytes() + gzip.compress(archive, mtime=0))
    with open(tmp_path / "root.img", "wb") as file:
        file.truncate(4 << 30)
    port, asked = mirror
    linux = boot_linux(files=(drivers[0], initrd), cmdline=ANSWERS.format(port=port),
                       devices={"disk": tmp_path / "root.img", "net": "user", "rng": "1"})
    linux.expect_text(r"list-devices: /dev/vda", wait=900)
    linux.expect_text(r"Bad archive mirror|mirror does not|does not seem to be a valid", wait=900)
    assert any(path.startswith("/debian/dists/") for path in asked)
    no_trouble(linux)
