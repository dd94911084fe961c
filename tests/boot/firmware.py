# SPDX-License-Identifier: GPL-2.0-or-later
"""One case of firmware.sh: talks to firmware at its prompt.

usage: firmware.py CASE --images DIR [--limit SECONDS] -- CROSSWALK RUN_OPTIONS...
DIR has the guest images.
"""
import argparse
import base64
import os
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time

COMMAND = base64.b64encode(b"uname -m; echo it is up").decode()
BOOTARGS = f"console=ttyAMA0 quiet crosswalk.cmd={COMMAND}"


class Guest:
    """Crosswalk, with both ends of its console."""

    def __init__(self, words, limit):
        self.end = time.monotonic() + limit
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = b""
        self.seen = 0

    def expect(self, *texts):
        """Waits for each of `texts` in turn; what is before it is passed over."""
        for text in texts:
            while True:
                found = self.text.find(text.encode(), self.seen)
                if found >= 0:
                    self.seen = found + len(text)
                    break
                left = self.end - time.monotonic()
                assert left > 0, f"no '{text}' in time; the last lines are {self.tail()}"
                select.select([self.process.stdout], [], [], left)
                piece = self.process.stdout.read()
                assert piece != b"", f"the guest ended without '{text}': {self.tail()} {self.process.stderr.read()[-300:]}"
                self.text += piece or b""

    def tail(self):
        return self.text[-300:]

    def say(self, line):
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()

    def finish(self):
        """It has to power off by itself."""
        while select.select([self.process.stdout], [], [], max(0, self.end - time.monotonic()))[0]:
            if self.process.stdout.read() == b"":
                break
        status = self.process.wait(max(1, self.end - time.monotonic()))
        assert status == 0, f"status {status}: {self.tail()} {self.process.stderr.read()[-300:]}"


class Cases:
    def __init__(self, options, scratch):
        self.run = options.words
        self.limit = options.limit
        self.images = options.images
        self.scratch = scratch
        self.u_boot = ["--bios", f"{self.images}/firmware/u-boot.bin"]
        self.kernel = f"{self.images}/armmp/vmlinuz"
        self.initrd = f"{self.images}/initrd-armmp.gz"

    def start(self, *words):
        return Guest([*self.run, *words], self.limit)

    def prompt(self, *words):
        guest = self.start(*words)
        guest.expect("stop autoboot")
        guest.say(" ")
        guest.expect("=> ")
        return guest

    def booted(self, guest):
        guest.expect("armv7l", "it is up")
        guest.finish()

    def u_boot_keeps_its_environment(self):
        """It runs from one bank of flash and programs the other one; the next run finds that."""
        shutil.copy(f"{self.images}/firmware/u-boot.bin", f"{self.scratch}/code")
        with open(f"{self.scratch}/environment", "wb") as file:
            file.truncate(64 << 20)
        flash = ["--pflash", f"{self.scratch}/code,readonly", "--pflash", f"{self.scratch}/environment"]
        guest = self.prompt(*flash)
        guest.say("setenv kept 'across runs'; saveenv\n")
        guest.expect("Erased", "Writing to Flash", "OK", "=> ")
        guest.say("poweroff\n")
        guest.finish()
        guest = self.prompt(*flash)
        assert b"bad CRC" not in guest.text, guest.text
        guest.say("printenv kept; poweroff\n")
        guest.expect("kept=across runs")
        guest.finish()

    def boot_by_hand(self, guest, load):
        guest.say(f"setenv bootargs {BOOTARGS}; {load} && "
                  "bootz ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}\n")
        self.booted(guest)

    def u_boot_disk(self):
        tree = f"{self.scratch}/tree"
        os.mkdir(tree)
        shutil.copy(self.kernel, f"{tree}/vmlinuz")
        shutil.copy(self.initrd, f"{tree}/initrd.gz")
        subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-d", tree, f"{self.scratch}/disk", "64M"], check=True)
        guest = self.prompt(*self.u_boot, "--disk", f"{self.scratch}/disk,readonly")
        self.boot_by_hand(guest, "load virtio 0 ${kernel_addr_r} vmlinuz && load virtio 0 ${ramdisk_addr_r} initrd.gz")

    def u_boot_network(self):
        """By TFTP, of what is in a folder, or a link there leads out of it."""
        folder = f"{self.scratch}/tftp"
        os.mkdir(folder)
        shutil.copy(self.kernel, f"{folder}/vmlinuz")
        shutil.copy(self.initrd, f"{folder}/initrd.gz")
        with open(f"{self.scratch}/secret", "w") as file:
            file.write("secret")
        os.symlink("../secret", f"{folder}/secret")
        guest = self.prompt(*self.u_boot, "--net", f"user,tftp={folder}")
        guest.say("setenv autoload no; dhcp; setenv serverip 10.0.2.2; tftpboot ${kernel_addr_r} secret\n")
        guest.expect("DHCP client bound", "=> ")
        # Without the sandbox nothing keeps libslirp from following it.
        assert b"Bytes transferred" not in guest.text, guest.text
        self.boot_by_hand(guest, "tftpboot ${kernel_addr_r} vmlinuz && tftpboot ${ramdisk_addr_r} initrd.gz")

    def u_boot_kernel(self):
        """What --kernel names, it is told of by fw_cfg, and boots by itself."""
        self.booted(self.start(*self.u_boot, "--kernel", self.kernel, "--initrd", self.initrd, "--append", BOOTARGS))

    def u_boot_snapshot(self):
        """Saved in soft, and goes on in the run's mode: what is in both banks, one of which has a file and gives its
        identifiers, and what fw_cfg has. The file must be what it was."""
        file, saved, control = (f"{self.scratch}/{name}" for name in ("file", "saved", "control"))
        with open(file, "wb") as flash:
            flash.write(b"\x78\x56\x34\x12")
        guest = Guest([*self.run[:2], "--mmu", "soft", *self.u_boot, "--pflash", file, "--kernel", self.kernel,
                       "--control", f"unix:{control}"], self.limit)
        guest.expect("stop autoboot")
        guest.say(" ")
        guest.expect("=> ")
        for value in (0x00200020, 0x00d000d0, 0x00400040, 0x31415926, 0x00ff00ff):
            guest.say(f"mw.l 03f00000 {value:x}\n")
            guest.expect("=> ")
        guest.say("md.l 03f00000 1; mw.l 04000000 00900090; md.l 04000000 1\n")
        guest.expect("03f00000: 31415926", "04000000: 00890089", "=> ")
        subprocess.run([self.run[0], "snapshot", "--control", f"unix:{control}", "--output", saved, "--quit"], check=True,
                       timeout=self.limit)
        assert guest.process.wait(self.limit) == 5
        again = [*self.run, "--restore", saved, "--pflash", f"{file},unit=1"]
        guest = Guest(again, self.limit)
        guest.say("md.l 03f00000 1; md.l 04000000 1; mw.l 04000000 00ff00ff; md.l 04000000 1\n")
        guest.expect("03f00000: 31415926", "04000000: 00890089", "04000000: 12345678", "=> ")
        with open(self.kernel, "rb") as kernel:
            begin = kernel.read(4)
        guest.say("qfw load 44000000 48000000; md.b 44000000 4; poweroff\n")
        guest.expect("44000000: " + " ".join(f"{byte:02x}" for byte in begin))
        guest.finish()
        with open(file, "r+b") as flash:
            flash.write(b"other")
        for words, why in ((again, "has other contents"), (again[:-2], "give --pflash")):
            done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=self.limit)
            assert done.returncode == 2 and why in done.stderr and done.stderr.count("\n") == 1, done.stderr

    def uefi(self):
        variables = f"{self.scratch}/variables"
        shutil.copy(f"{self.images}/firmware/AAVMF32_VARS.fd", variables)
        return ["--pflash", f"{self.images}/firmware/AAVMF32_CODE.fd,readonly", "--pflash", variables]

    def uefi_shell(self):
        flash = self.uefi()
        guest = self.start(*flash)
        guest.expect("UEFI firmware")
        guest.say("\r")  # else it waits for some seconds
        guest.expect("to skip")
        guest.say("\x1b")
        guest.expect("Shell>")
        guest.say("reset -s\r")
        guest.finish()
        with open(flash[-1], "rb") as file:
            assert b"\x53\x00\x68\x00\x65\x00\x6c\x00\x6c\x00" in file.read(), "no variable names the shell"

    def uefi_kernel(self):
        self.booted(self.start(*self.uefi(), "--kernel", self.kernel, "--initrd", self.initrd, "--append", BOOTARGS))


    def grub(self):
        """UEFI starts GRUB from a disk's EFI system partition, and GRUB starts Debian from there."""
        disk, first, sectors = f"{self.scratch}/disk", 2048, 64 << 11
        with open(disk, "wb") as file:
            file.truncate(sectors * 512)
            file.seek(446)  # the partition table's first entry: of type EFI system partition
            file.write(struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", 0xef, b"\xfe\xff\xff", first, sectors - first))
            file.seek(510)
            file.write(b"\x55\xaa")
        with open(f"{self.scratch}/grub.cfg", "w") as file:
            file.write(f"linux /vmlinuz {BOOTARGS}\ninitrd /initrd.gz\nboot\n")

        def in_partition(program, *words):
            subprocess.run([program, "-i", f"{disk}@@{first * 512}", *words], check=True)

        in_partition("mformat", "-F", "-T", str(sectors - first), "-h", "255", "-s", "63", "::")
        in_partition("mmd", "::/EFI", "::/EFI/BOOT", "::/EFI/debian")
        for source, target in ((f"{self.images}/firmware/grubarm.efi", "EFI/BOOT/BOOTARM.EFI"), (self.kernel, "vmlinuz"),
                               (f"{self.scratch}/grub.cfg", "EFI/debian/grub.cfg"), (self.initrd, "initrd.gz")):
            in_partition("mcopy", source, f"::/{target}")
        guest = self.start(*self.uefi(), "--disk", f"{disk},readonly")
        guest.expect("Welcome to GRUB")
        self.booted(guest)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("case")
    parser.add_argument("--images", required=True)
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("words", nargs="+")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        getattr(Cases(options, scratch), options.case)()


try:
    main()
except (AssertionError, OSError, subprocess.SubprocessError) as error:
    sys.exit(f"firmware: {error}")
