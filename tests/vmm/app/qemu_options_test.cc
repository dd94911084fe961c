// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/qemu_options.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/vmm/test_files.h"
#include "vmm/app/options.h"

namespace crosswalk::vmm {
namespace {

std::string error_of(const Command& command) {
  const auto* error = std::get_if<OptionError>(&command);
  return error ? error->message : "(no error)";
}

TEST(QemuOptions, ACommandLineOfQemuIsTaken) {
  const TestFile kernel({1, 2, 3, 4}), disk({1});
  const Command command = parse_options({"run",
                                         "-M",
                                         "virt,gic-version=2,highmem=off",
                                         "-cpu",
                                         "max",
                                         "-m",
                                         "512",
                                         "-smp",
                                         "4,sockets=1,cores=4,threads=1",
                                         "-nographic",
                                         "-no-reboot",
                                         "-display",
                                         "none",
                                         "-serial",
                                         "mon:stdio",
                                         "-nic",
                                         "none",
                                         "-kernel",
                                         kernel.path(),
                                         "-initrd",
                                         disk.path(),
                                         "-dtb",
                                         disk.path(),
                                         "-append",
                                         "-s console=ttyAMA0",
                                         "-drive",
                                         "file=" + disk.path() + ",format=raw,if=virtio,readonly=on",
                                         "-drive",
                                         "if=none,id=d0,file=" + disk.path(),
                                         "-device",
                                         "virtio-blk-device,drive=d0",
                                         "-semihosting-config",
                                         "enable=on,target=native",
                                         "--stats"});
  const auto* run = std::get_if<RunOptions>(&command);
  ASSERT_NE(run, nullptr) << error_of(command);
  EXPECT_EQ(run->kernel, kernel.path());
  EXPECT_EQ(run->initrd, disk.path());
  EXPECT_EQ(run->dtb, disk.path());
  EXPECT_EQ(run->append, "-s console=ttyAMA0");
  EXPECT_EQ(run->cpu, "cortex-a15");
  EXPECT_EQ(run->memory_bytes, uint64_t{512} << 20);
  EXPECT_EQ(run->cpus, 4u);
  ASSERT_EQ(run->disks.size(), 2u);
  EXPECT_TRUE(run->disks[0].read_only);
  EXPECT_TRUE(run->disks[0].any_format);
  EXPECT_FALSE(run->disks[1].read_only);
  EXPECT_EQ(run->disks[1].path, disk.path());
  EXPECT_TRUE(run->semihosting);
  EXPECT_TRUE(run->stats);
}

TEST(QemuOptions, Meanings) {
  using Words = std::vector<OptionWords>;
  const std::vector<std::pair<std::vector<std::string>, Words>> cases = {
      {{"-m", "1G"}, {{"memory", {"1G"}}}},
      {{"-m", "size=64M"}, {{"memory", {"64M"}}}},
      {{"-smp", "2"}, {{"smp", {"2"}}}},
      {{"-smp", "cores=2,sockets=2"}, {{"smp", {"4"}}}},
      {{"-smp", "2,maxcpus=2"}, {{"smp", {"2"}}}},
      {{"-machine", "virt-7.2,dumpdtb=F"}, {{"dump-dtb", {"F"}}}},
      {{"-machine", "type=virt"}, {}},
      {{"-cpu", "cortex-a7"}, {{"cpu", {"cortex-a7"}}}},
      {{"-hda", "F"}, {{"disk", {"F"}}}},
      {{"-cdrom", "F"}, {{"disk", {"F,readonly"}}}},
      {{"-drive", "F,media=cdrom"}, {{"disk", {"F,readonly"}}}},
      {{"-semihosting"}, {{"semihosting", {}}}},
      {{"-nic", "none"}, {{"net", {"none"}}}},
      {{"-bios", "F"}, {{"bios", {"F"}}}},
      {{"-pflash", "F"}, {{"pflash", {"F"}}}},
      {{"-drive", "if=pflash,format=raw,unit=1,file=F,readonly=on"}, {{"pflash", {"F,readonly,unit=1"}}}},
      {{"-drive", "if=pflash,file=F"}, {{"pflash", {"F"}}}},
      {{"-netdev", "user,id=n,tftp=D,bootfile=F"}, {{"net", {"user,tftp=D,bootfile=F"}}}},
      {{"-nic", "user,model=virtio-net-device,hostfwd=tcp::2222-:22"}, {{"net", {"user,hostfwd=tcp::2222-:22"}}}},
      {{"-netdev", "tap,id=n,ifname=tap0,script=no,downscript=no"}, {{"net", {"tap,ifname=tap0"}}}},
      {{"-device", "virtio-net-device,netdev=n"}, {}},
      {{"-virtfs", "local,path=/tmp,mount_tag=t,security_model=none,id=x"}, {{"share", {"/tmp,t"}}}},
      {{"-virtfs", "local,path=/tmp,mount_tag=t,security_model=passthrough,readonly=on,multidevs=remap"},
       {{"share", {"/tmp,t,readonly"}}}},
      {{"-echr", "20"}, {{"escape", {"t"}}}},
      {{"-s"}, {{"gdb", {"1234"}}}},
      {{"-S"}, {{"wait", {}}}},
      {{"-gdb", "tcp::1234,server=on,wait=off"}, {{"gdb", {"tcp::1234"}}}},
      {{"-sandbox", "on"}, {{"sandbox", {"on"}}}},
      {{"-netdev", "tap,id=n,ifname=tap0,queues=4,script=no"}, {{"net", {"tap,ifname=tap0,queues=4"}}}},
      {{"-serial", "pty"}, {{"serial", {"pty"}}}},
      {{"-serial", "mon:stdio"}, {{"serial", {"stdio"}}}},
      {{"-serial", "unix:S,server=on,wait=off"}, {{"serial", {"unix:S"}}}},
      {{"-qmp", "unix:S,server,nowait"}, {{"control", {"unix:S"}}}},
      {{"-device", "virtio-rng-device"}, {}},
      {{"--nographic"}, {}},
      {{"--m", "16M"}, {{"memory", {"16M"}}}},
  };
  for (const auto& [arguments, expected] : cases) {
    std::vector<std::string> rest = arguments;
    rest.push_back("--after");
    auto words = take_qemu_option(rest);
    ASSERT_TRUE(words) << words.error();
    EXPECT_EQ(*words, expected) << arguments[0] << " " << arguments.back();
    EXPECT_EQ(rest, std::vector<std::string>{"--after"}) << arguments[0];
  }
  // What is none of QEMU's, or is one of ours by its own name, stays.
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--kernel", "F"}, {"--smp", "2"}, {"--stats"}, {"-d", "int"}, {"vmlinuz"}, {"-"}}) {
    std::vector<std::string> rest = arguments;
    auto words = take_qemu_option(rest);
    ASSERT_TRUE(words) << words.error();
    EXPECT_TRUE(words->empty());
    EXPECT_EQ(rest, arguments);
  }
}

TEST(QemuOptions, OthersAreAnswered) {
  const TestFile kernel({1, 2, 3, 4});
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"-M", "raspi2b"}, "QEMU's virt"},
      {{"-M", "virt,gic-version=3"}, "GICv2"},
      {{"-cpu", "cortex-a53"}, "cortex-a15, cortex-a7"},
      {{"-cpu", "max,pmu=off"}, "--cpu"},
      {{"-m", "1G,slots=2,maxmem=2G"}, "--memory"},
      {{"-smp", "2,maxcpus=4"}, "--smp"},
      {{"-smp", "9"}, "1 to 8"},
      {{"-smp", "cores=99999999999999,threads=99999999999999"}, "1 to 8"},
      {{"-drive", "if=pflash,format=qcow2,file=F"}, "raw image"},
      {{"-drive", "if=pflash,unit=0"}, "no file"},
      {{"-mtdblock", "F"}, "--pflash"},
      {{"-fw_cfg", "name=opt/a,file=F"}, "--kernel"},
      {{"-drive", "file=" + kernel.path() + ",format=qcow2"}, "qemu-img convert"},
      {{"-drive", "if=scsi,file=F"}, "--disk"},
      {{"-drive", "snapshot=on,file=F"}, "--disk"},
      {{"-drive", "if=virtio"}, "no file"},
      {{"-S"}, "--gdb"},
      {{"-gdb", "stdio"}, "unix:PATH"},
      {{"-gdb", "tcp::1234,telnet"}, "no telnet"},
      {{"-nic", "user,smb=/tmp"}, "--net"},
      {{"-nic", "vde"}, "none, user, tap"},
      {{"-device", "e1000,netdev=n"}, "--net"},
      {{"-device", "usb-net,netdev=n"}, "--net"},
      {{"-virtfs", "local,path=/tmp,mount_tag=t,security_model=mapped-xattr"}, "security_model=none"},
      {{"-virtfs", "local,path=/tmp"}, "mount_tag="},
      {{"-virtfs", "proxy,socket=s,mount_tag=t"}, "no driver=proxy"},
      {{"-virtfs", "local,path=/nonexistent,mount_tag=t"}, "--share: /nonexistent"},
      {{"-fsdev", "local,id=f,path=/tmp,security_model=none"}, "--share"},
      {{"-device", "virtio-9p-device,fsdev=f,mount_tag=t"}, "--share"},
      {{"-device", "virtio-serial-device"}, "--console virtio"},
      {{"-device", "usb-kbd"}, "no such device"},
      {{"-serial", "tcp::4444,server=on"}, "use one of: stdio"},
      {{"-serial", "unix:S,server=on,telnet=on"}, "telnet=on"},
      {{"-snapshot"}, "readonly"},
      {{"-loadvm", "tag"}, "--restore"},
      {{"-display", "gtk"}, "this terminal"},
      {{"-accel", "kvm"}, "--mmu"},
      {{"-enable-kvm"}, "--mmu"},
      {{"-echr", "0x14"}, "--escape"},
      {{"-version"}, "crosswalk --version"},
      {{"-kernel"}, "the value is missing"},
  };
  for (const auto& [arguments, expected] : cases) {
    std::vector<std::string> line = {"run", "--kernel", kernel.path()};
    line.insert(line.end(), arguments.begin(), arguments.end());
    const std::string message = error_of(parse_options(line));
    EXPECT_NE(message.find(expected), std::string::npos) << arguments[0] << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

// A name that is here twice, or not answered, is a mistake in the table.
TEST(QemuOptions, EachNameOnceAndAnswered) {
  std::set<std::string> seen;
  for (const std::string& name : qemu_option_names()) {
    EXPECT_TRUE(seen.insert(name).second) << name;
    std::vector<std::string> arguments = {"-" + name, "unheard,of=it"};
    auto words = take_qemu_option(arguments);
    if (words) {
      EXPECT_LT(arguments.size(), 2u) << name;
    } else {
      EXPECT_GT(words.error().size(), name.size() + 8) << name;
    }
  }
  EXPECT_GE(seen.size(), 50u);
}

}  // namespace
}  // namespace crosswalk::vmm
