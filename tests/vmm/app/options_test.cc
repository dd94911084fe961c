// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/vmm/test_files.h"
#include "vmm/app/options.h"
#include "vmm/base/exit_status.h"
#include "vmm/base/statistics.h"

namespace crosswalk::vmm {
namespace {

class OptionsTest : public testing::Test {
 protected:
  OptionsTest() : kernel_({1, 2, 3, 4}) {}
  Command run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"run", "--kernel", kernel_.path()});
    return parse_options(arguments);
  }
  static std::string error_of(const Command& command) {
    const auto* error = std::get_if<OptionError>(&command);
    return error ? error->message : "(no error)";
  }
  TestFile kernel_;
};

TEST_F(OptionsTest, Defaults) {
  const Command command = run({});
  const auto* options = std::get_if<RunOptions>(&command);
  ASSERT_NE(options, nullptr) << error_of(command);
  EXPECT_EQ(options->memory_bytes, uint64_t{1} << 30);
  EXPECT_EQ(options->cpus, 1u);
  EXPECT_EQ(options->cpu, "cortex-a15");
  EXPECT_EQ(options->mmu, nullptr);
  EXPECT_EQ(options->windows, nullptr);
  EXPECT_EQ(options->world, std::nullopt);
  EXPECT_FALSE(options->stats);
  EXPECT_EQ(options->timeout_seconds, 0);
  EXPECT_TRUE(options->sandbox);
}

TEST_F(OptionsTest, Everything) {
  const TestFile other({1});
  const Command command = run({"--initrd",
                               other.path(),
                               "--append",
                               "console=ttyAMA0 a,b",
                               "--memory=512m",
                               "--smp",
                               "8",
                               "--cpu",
                               "cortex-a7",
                               "--disk",
                               other.path(),
                               "--disk",
                               other.path() + ",readonly",
                               "--disk",
                               other.path() + ",format=raw,readonly",
                               "--mmu",
                               "soft-call",
                               "--world",
                               "kvm",
                               "--stats",
                               "--stats-json",
                               "/tmp/x.json",
                               "--timeout",
                               "2.5",
                               "--semihosting-files",
                               "/tmp",
                               "--console",
                               "virtio",
                               "--net",
                               "user,mac=52:54:00:ab:cd:ef,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22,"
                               "hostfwd=udp::53-10.0.2.16:5353",
                               "--share",
                               "/tmp,host",
                               "--share",
                               "/,the root,readonly",
                               "--escape",
                               "t"});
  const auto* options = std::get_if<RunOptions>(&command);
  ASSERT_NE(options, nullptr) << error_of(command);
  EXPECT_EQ(options->append, "console=ttyAMA0 a,b");
  EXPECT_EQ(options->memory_bytes, uint64_t{512} << 20);
  EXPECT_EQ(options->cpus, 8u);
  ASSERT_EQ(options->disks.size(), 3u);
  EXPECT_FALSE(options->disks[0].read_only);
  EXPECT_TRUE(options->disks[1].read_only);
  EXPECT_EQ(options->disks[1].path, other.path());
  EXPECT_FALSE(options->disks[1].any_format);
  EXPECT_TRUE(options->disks[2].read_only);
  EXPECT_TRUE(options->disks[2].any_format);
  EXPECT_EQ(options->disks[2].path, other.path());
  EXPECT_EQ(options->network.kind, NetKind::User);
  EXPECT_EQ(options->network.mac, (MacAddress{0x52, 0x54, 0x00, 0xab, 0xcd, 0xef}));
  EXPECT_TRUE(options->network.restricted);
  ASSERT_EQ(options->network.forwards.size(), 2u);
  const HostForward &tcp = options->network.forwards[0], &udp = options->network.forwards[1];
  EXPECT_EQ(tcp.host.s_addr, htonl(INADDR_LOOPBACK));
  EXPECT_EQ(tcp.host_port, 2222);
  EXPECT_EQ(tcp.guest.s_addr, 0u);
  EXPECT_EQ(tcp.guest_port, 22);
  EXPECT_FALSE(tcp.udp);
  EXPECT_TRUE(udp.udp);
  EXPECT_EQ(udp.host.s_addr, 0u);
  EXPECT_EQ(udp.host_port, 53);
  EXPECT_EQ(udp.guest.s_addr, htonl(0x0a000210));
  EXPECT_EQ(udp.guest_port, 5353);
  ASSERT_EQ(options->shares.size(), 2u);
  EXPECT_EQ(options->shares[0].path, "/tmp");
  EXPECT_EQ(options->shares[0].tag, "host");
  EXPECT_FALSE(options->shares[0].read_only);
  EXPECT_EQ(options->shares[1].path, "/");
  EXPECT_EQ(options->shares[1].tag, "the root");
  EXPECT_TRUE(options->shares[1].read_only);
  ASSERT_NE(options->mmu, nullptr);
  EXPECT_STREQ(options->mmu->name, "soft-call");
  EXPECT_EQ(options->world, WorldKind::Kvm);
  EXPECT_TRUE(options->semihosting);
  EXPECT_EQ(options->semihosting_files, "/tmp");
  EXPECT_EQ(options->console, "virtio");
  EXPECT_EQ(options->escape_key, 20);
  EXPECT_EQ(options->timeout_seconds, 2.5);
}

TEST_F(OptionsTest, SerialPorts) {
  using Kind = SerialConfig::Kind;
  const auto kinds = [&](const std::vector<std::string>& arguments) {
    const Command command = run(arguments);
    const auto* options = std::get_if<RunOptions>(&command);
    std::vector<Kind> found;
    if (!options) ADD_FAILURE() << error_of(command);
    for (const SerialConfig& each : options ? options->serial : std::vector<SerialConfig>{}) found.push_back(each.kind);
    return found;
  };
  EXPECT_EQ(kinds({}), (std::vector<Kind>{Kind::Stdio}));
  EXPECT_EQ(kinds({"--serial", "pty"}), (std::vector<Kind>{Kind::Pty}));
  EXPECT_EQ(kinds({"--serial", "file:a", "--serial", "stdio"}), (std::vector<Kind>{Kind::File, Kind::Stdio}));
  EXPECT_EQ(kinds({"-serial", "mon:stdio", "-serial", "unix:S,server=on,wait=off"}),
            (std::vector<Kind>{Kind::Stdio, Kind::Socket}));
  EXPECT_EQ(kinds({"--serial", "null", "--serial", "null"}), (std::vector<Kind>{Kind::Null, Kind::Null}));
}

TEST_F(OptionsTest, Windows) {
  const auto windows = [&](const std::vector<std::string>& arguments, bool kvm) {
    const Command command = run(arguments);
    const auto* options = std::get_if<RunOptions>(&command);
    if (!options) return error_of(command);
    EXPECT_EQ(needs_kvm(*options), kvm);
    return std::string(options->windows ? options->windows->name : "none");
  };
  for (const ModeRow* row : providers()) {
    const bool kvm = row->provider.world == WorldKind::Kvm;
    EXPECT_EQ(windows({"--mmu", row->name}, kvm), row->name);
    EXPECT_EQ(windows({"--mmu", "hybrid", "--windows", row->name}, kvm), row->name);
    EXPECT_EQ(windows({"--mmu", "flat", "--windows", row->name}, kvm), row->name);
  }
  EXPECT_EQ(windows({"--mmu", "kmod", "--world", "kvm"}, true), "kmod");
  EXPECT_EQ(windows({"--mmu", "hybrid"}, false), "none");
  EXPECT_EQ(windows({"--mmu", "hybrid", "--windows", "auto", "--world", "kvm"}, true), "none");
  EXPECT_STREQ(default_windows(*find_mode("hybrid"), WorldKind::Process).name, "mmap");
  EXPECT_STREQ(default_windows(*find_mode("hybrid"), WorldKind::Kvm).name, "shadow");
  EXPECT_STREQ(default_windows(*find_mode("flat"), WorldKind::Process).name, "mmap");
  EXPECT_STREQ(default_windows(*find_mode("flat"), WorldKind::Kvm).name, "ept");
}

TEST_F(OptionsTest, ErrorsAreOneLineThatSaysWhatToDo) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--memory", "0"}, "--memory"},
      {{"--memory", "1T"}, "16M to 3G"},
      {{"--memory", "15M"}, "16M to 3G"},
      {{"--memory", "17M"}, "multiple of 2M"},
      {{"--memory", "99999999999999999999G"}, "not a size"},
      {{"--memory", "-1G"}, "not a size"},
      {{"--memory", "1Q"}, "not a size"},
      {{"--memory", "1GB"}, "not a size"},
      {{"--memory", ""}, ""},
      {{"--smp", "0"}, "give 1 to 8"},
      {{"--smp", "9"}, "give 1 to 8"},
      {{"--smp", "two"}, "give 1 to 8"},
      {{"--smp=-1"}, "give 1 to 8"},
      {{"--mmu", "magic"}, "soft-call, soft, mmap, kmod, shadow, ept, flat"},
      {{"--world", "disc"}, "auto, process, kvm"},
      {{"--cpu", "cortex-a9"}, "cortex-a15, cortex-a7"},
      {{"--console", "vga"}, "pl011, virtio"},
      {{"--serial", "stdio", "--serial", "stdio"}, "stdio is the other end of the first line already"},
      {{"--serial", "unix:S", "--serial", "unix:S"}, "give another one"},
      {{"--serial", "null", "--serial", "pty", "--serial", "pty"}, "2 serial ports at most"},
      {{"--serial", "stdio", "--serial", "tape"}, "use one of: stdio"},
      {{"--mmu", "mmap", "--world", "kvm"}, "--mmu kmod or shadow or ept"},
      {{"--mmu", "ept", "--world", "process"}, "--world kvm"},
      {{"--mmu", "hybrid", "--windows", "glass"}, "auto, mmap, kmod, shadow, ept"},
      {{"--mmu", "hybrid", "--windows", "soft"}, "auto, mmap, kmod, shadow, ept"},
      {{"--mmu", "soft", "--windows", "mmap"}, "--mmu flat or hybrid"},
      {{"--mmu", "mmap", "--windows", "mmap"}, "--mmu flat or hybrid"},
      {{"--windows", "mmap"}, "--mmu flat or hybrid"},
      {{"--mmu", "hybrid", "--windows", "mmap", "--world", "kvm"}, "--windows kmod or shadow or ept"},
      {{"--initrd", "/nonexistent/file"}, "No such file"},
      {{"--initrd", "/tmp"}, "is a directory"},
      {{"--dtb", "/tmp"}, "is a directory"},
      {{"--disk", "/nonexistent"}, "--disk"},
      {{"--disk", kernel_.path() + ",rw"}, "unknown flag 'rw'"},
      {{"--disk", kernel_.path() + ",format=qcow2"}, "qemu-img convert -O raw"},
      {{"--net", "bridge"}, "none, user, tap"},
      {{"--net", ""}, "none, user, tap"},
      {{"--net", "user,hostfwd=tcp:2222-:22"}, "hostfwd=tcp:127.0.0.1:2222-:22"},
      {{"--net", "user,tftp=/nonexistent"}, "--net: tftp: /nonexistent"},
      {{"--net", "user,bootfile="}, "1 to 127 bytes"},
      {{"--net", "tap,ifname=tap0,tftp=/tmp"}, "unknown word"},
      {{"--bios", "/nonexistent"}, "--bios: /nonexistent"},
      {{"--bios", ""}, "--bios: the file name is empty"},
      {{"--pflash", "/nonexistent"}, "--pflash: /nonexistent"},
      {{"--pflash", "/dev/null,unit=2"}, "unknown flag 'unit=2'"},
      {{"--pflash", "/dev/null", "--pflash", "/dev/null", "--pflash", "/dev/null"}, "two banks"},
      {{"--bios", "/dev/null", "--pflash", "/dev/null,unit=0"}, "give one of the two"},
      {{"--on-sigterm", "reboot"}, "quit, powerbutton"},
      {{"--net", "user,hostfwd=sctp::2222-:22"}, "hostfwd=sctp::2222-:22"},
      {{"--net", "user,hostfwd=tcp::65536-:22"}, "65536"},
      {{"--net", "user,hostfwd=tcp::2222-:0"}, "2222-:0"},
      {{"--net", "user,hostfwd=tcp:localhost:2222-:22"}, "localhost"},
      {{"--net", "user,hostfwd=tcp::2222"}, "2222"},
      {{"--net", "user,restrict=maybe"}, "on, off"},
      {{"--net", "user,mac=52:54:00:12:34"}, "mac=52:54:00:12:34"},
      {{"--net", "user,mac=53:54:00:12:34:56"}, "mac=53"},
      {{"--net", "user,mac=52:54:00:12:34:567"}, "mac=52"},
      {{"--net", "user,dns=1.1.1.1"}, "unknown word 'dns=1.1.1.1'"},
      {{"--net", "tap"}, "--net tap,ifname=tap0"},
      {{"--net", "tap,ifname="}, "--net tap,ifname=tap0"},
      {{"--net", "tap,ifname=tap0,hostfwd=tcp::2222-:22"}, "tap takes ifname="},
      {{"--net", "none,mac=52:54:00:12:34:56"}, "none takes nothing"},
      {{"--net", "tap,ifname=tap0,queues=0"}, "give 1 to 8"},
      {{"--net", "tap,ifname=tap0,queues=9"}, "give 1 to 8"},
      {{"--net", "tap,ifname=tap0,queues=16"}, "give 1 to 8"},
      {{"--net", "user,queues=2"}, "unknown word 'queues=2'"},
      {{"--share", "/tmp"}, "give DIR,TAG[,readonly]"},
      {{"--share", ""}, "give DIR,TAG[,readonly]"},
      {{"--share", ",tag"}, "give DIR,TAG[,readonly]"},
      {{"--share", "/tmp,"}, "give DIR,TAG[,readonly]"},
      {{"--share", "/tmp,readonly"}, "give DIR,TAG[,readonly]"},
      {{"--share", "/nonexistent,tag"}, "existing directory"},
      {{"--share", "/proc/self/exe,tag"}, "not a directory"},
      {{"--share", "/tmp,a-tag-of-more-than-thirty-two-bytes"}, "longer than 32 bytes"},
      {{"--share", "/tmp,tag", "--share", "/,tag"}, "the tag 'tag'"},
      {{"--semihosting-files", "/nonexistent"}, "--semihosting-files: /nonexistent"},
      {{"--semihosting-files", kernel_.path()}, "not a directory"},
      {{"--semihosting-files", ""}, ""},
      {{"--semihosting-files"}, "--help"},
      {{"--timeout", "0"}, "--timeout"},
      {{"--timeout", "-3"}, "--timeout"},
      {{"--timeout", "nan"}, "--timeout"},
      {{"--timeout", "soon"}, "timeout"},
      {{"--wait"}, "--gdb"},
      {{"--gdb", "port"}, "[HOST:]PORT"},
      {{"--gdb", "70000"}, "[HOST:]PORT"},
      {{"--gdb", "host:0"}, "[HOST:]PORT"},
      {{"--gdb", ""}, "[HOST:]PORT"},
      {{"--gdb", "unix:"}, "unix:PATH"},
      {{"--numa", "4"}, "--help"},
      {{"--kern"}, "--help"},
      {{"--x%canonical_option%"}, "--x_canonical_option_"},
      {{"--timeout", "%value%"}, "timeout"},
      {{"stray"}, "'stray' does not belong"},
      {{"--stats", "stray", "--no-chain"}, "'stray' does not belong"},
      {{"--memory", "512m1"}, "--memory"},
      {{"--memory", "1073741824"}, "out of range"},
      {{"--append"}, "--help"},
      {{"--stats-json", ""}, ""},
      {{"--escape", "A"}, "a to z"},
      {{"--escape", "ab"}, "a to z"},
      {{"--dump-dtb", "/nonexistent/file"}, "--dump-dtb"},
  };
  for (const auto& [arguments, expected] : cases) {
    const std::string message = error_of(run(arguments));
    EXPECT_NE(message, "(no error)") << arguments[0] << " " << (arguments.size() > 1 ? arguments[1] : "");
    EXPECT_NE(message.find(expected), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(Options, CommandsAndKernel) {
  const auto error = [](const std::vector<std::string>& arguments) {
    const Command command = parse_options(arguments);
    const auto* failed = std::get_if<OptionError>(&command);
    return failed ? failed->message : std::string("(no error)");
  };
  EXPECT_NE(error({}).find("run, info, bench, snapshot or control"), std::string::npos);
  EXPECT_NE(error({"boot"}).find("unknown command 'boot'"), std::string::npos);
  EXPECT_NE(error({"run"}).find("--kernel"), std::string::npos);
  EXPECT_NE(error({"run", "--kernel", "/nonexistent"}).find("No such file"), std::string::npos);
  EXPECT_NE(error({"run", "--kernel", "/tmp"}).find("directory"), std::string::npos);
  EXPECT_NE(error({"info", "--kernel", "x"}).find("info"), std::string::npos);
  EXPECT_NE(error({"bench", "--mmu", "soft,magic"}).find("'magic'"), std::string::npos);
  EXPECT_NE(error({"bench", "--mmu", "soft,shadow:never"}).find("'never'"), std::string::npos);
  EXPECT_NE(error({"bench", "--mmu", "shadow+no-such-thing"}).find("no-such-thing"), std::string::npos);
  EXPECT_NE(error({"bench", "--mmu", "mmap+"}).find("--mmu mmap+"), std::string::npos);
  EXPECT_NE(error({"bench", "--repeat", "0"}).find("--repeat"), std::string::npos);
  EXPECT_NE(error({"bench", "--baseline", "bochs"}).find("qemu, qemu-user, native"), std::string::npos);
  EXPECT_NE(error({"bench", "--baseline", ""}).find("--baseline"), std::string::npos);
}

TEST(Options, HelpHasASentenceForEveryOption) {
  for (const char* command : {"run", "info", "bench"}) {
    const Command parsed = parse_options({command, "--help"});
    const auto* help = std::get_if<HelpText>(&parsed);
    ASSERT_NE(help, nullptr);
    size_t options = 0, sentences = 0;
    for (size_t at = help->text.find("  --"); at != std::string::npos; at = help->text.find("  --", at + 4)) {
      const size_t next = help->text.find("\n  --", at);
      const std::string entry = help->text.substr(at, next == std::string::npos ? next : next - at);
      ++options;
      sentences += entry.find('.') != std::string::npos;
    }
    EXPECT_GE(options, 2u) << help->text;
    EXPECT_EQ(options, sentences) << help->text;
  }
}

TEST(Options, HelpHas80Columns) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"run", "--help"}, {"info", "--help"}, {"bench", "--help"}}) {
    const Command parsed = parse_options(arguments);
    ASSERT_NE(std::get_if<HelpText>(&parsed), nullptr);
    std::istringstream lines(std::get<HelpText>(parsed).text);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), 80u) << line;
      EXPECT_FALSE(line.ends_with(' ')) << line;
    }
  }
}

TEST(Options, Version) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--version"}, {"run", "--version"}, {"bench", "--version"}}) {
    const Command parsed = parse_options(arguments);
    EXPECT_NE(std::get_if<ShowVersion>(&parsed), nullptr);
  }
}

TEST_F(OptionsTest, ModesOfBenchCarryOptionsOfRun) {
  EXPECT_EQ(mode_arguments("mmap"), (std::vector<std::string>{"--mmu", "mmap"}));
  EXPECT_EQ(
      mode_arguments("shadow:lazy+no-share-tables+largest-entry=64K"),
      (std::vector<std::string>{"--mmu", "shadow", "--flush", "lazy", "--no-share-tables", "--largest-entry=64K"}));
  const Command command = parse_options({"bench", "--mmu", "shadow:lazy+no-share-tables+largest-entry=64K,soft"});
  EXPECT_NE(std::get_if<BenchOptions>(&command), nullptr) << error_of(command);
}

TEST(Options, Bench) {
  const Command command = parse_options({"bench", "--mmu", "soft,mmap", "--baseline", "qemu,native", "--repeat", "3"});
  const auto* bench = std::get_if<BenchOptions>(&command);
  ASSERT_NE(bench, nullptr);
  EXPECT_EQ(bench->mmu_modes, (std::vector<BenchMode>{{"soft"}, {"mmap"}}));
  EXPECT_EQ(bench->baselines, (std::vector<std::string>{"qemu", "native"}));
  EXPECT_EQ(bench->repeat, 3u);
}

TEST(Options, BenchRunsEveryModeButFlat) {
  const std::string kKvm = "/dev/kvm", kModule = "/dev/crosswalk";
  const Command command = parse_options({"bench"});
  const auto* bench = std::get_if<BenchOptions>(&command);
  ASSERT_NE(bench, nullptr);
  const std::vector<BenchMode> expected = {{"soft-call"},      {"soft"},        {"mmap"},  {"kmod", {kModule}},
                                           {"shadow", {kKvm}}, {"ept", {kKvm}}, {"hybrid"}};
  EXPECT_EQ(bench->mmu_modes, expected);
  const Command over = parse_options({"bench", "--mmu", "hybrid:eager+windows=ept"});
  ASSERT_NE(std::get_if<BenchOptions>(&over), nullptr);
  EXPECT_EQ(std::get<BenchOptions>(over).mmu_modes[0].devices, std::vector<std::string>{kKvm});
  const Command both = parse_options({"bench", "--mmu", "hybrid+windows=kmod,kmod+world=kvm"});
  ASSERT_NE(std::get_if<BenchOptions>(&both), nullptr);
  EXPECT_EQ(std::get<BenchOptions>(both).mmu_modes,
            (std::vector<BenchMode>{{"hybrid+windows=kmod", {kModule}}, {"kmod+world=kvm", {kKvm, kModule}}}));
}

TEST_F(OptionsTest, SoftTlbEntries) {
  const auto sizes = [&](const std::string& value) {
    const Command command = run({"--soft-tlb-entries", value});
    const auto* const options = std::get_if<RunOptions>(&command);
    return options ? std::pair(options->soft_tlb.least, options->soft_tlb.most) : std::pair(0u, 0u);
  };
  EXPECT_EQ(sizes("auto"), std::pair(1024u, 65536u));
  EXPECT_EQ(sizes("256"), std::pair(256u, 256u));
  EXPECT_EQ(sizes("65536"), std::pair(65536u, 65536u));
  for (const char* wrong : {"128", "131072", "1000", "-256", "4K", "most"})
    EXPECT_EQ(sizes(wrong), std::pair(0u, 0u)) << wrong;
}

TEST(Options, Sizes) {
  EXPECT_EQ(parse_size("1048576"), 1048576u);
  EXPECT_EQ(parse_size("64k"), 65536u);
  EXPECT_EQ(parse_size("3G"), uint64_t{3} << 30);
  EXPECT_EQ(parse_size("1T"), uint64_t{1} << 40);
  EXPECT_EQ(parse_size("M"), 0u);
  EXPECT_EQ(parse_size("1.5G"), 0u);
  EXPECT_EQ(parse_size("1152921504606846975G"), 0u);
}

TEST(ExitStatus, EachEndHasItsOwn) {
  EXPECT_EQ((StopState{StopReason::PowerOff, 0}.exit_status()), 0);
  EXPECT_EQ((StopState{StopReason::Reset, 0}.exit_status()), 3);
  EXPECT_EQ((StopState{StopReason::Timeout, 0}.exit_status()), 4);
  EXPECT_EQ((StopState{StopReason::Signal, 15}.exit_status()), 143);
  EXPECT_EQ((StopState{StopReason::SemihostingExit, 42}.exit_status()), 42);
  EXPECT_EQ((StopState{}.exit_status()), 1);
}

TEST(Statistics, TableAndJson) {
  StatisticsTable table;
  table.add("mmu", "walks", uint64_t{12}, "walks");
  table.add("cpu", "time", 1.5, "s");
  table.add("mmu", "mode", std::string("soft"));
  table.add({"by ASID", "asid", {"time", "walks"}, {{3, {0.25, uint64_t{7}}}, {9, {0.5, uint64_t{8}}}}});
  const std::string text = table.table();
  EXPECT_LT(text.find("walks"), text.find("mode"));
  EXPECT_NE(text.find("1.500 s"), std::string::npos);
  const TestFile file({});
  auto output = OutputFile::open("--stats-json", file.path());
  ASSERT_TRUE(output) << output.error();
  ASSERT_TRUE(table.write_json(*output));
  std::ifstream stream(file.path());
  const auto json = nlohmann::json::parse(stream);
  EXPECT_EQ(json["mmu"]["walks"], 12);
  EXPECT_EQ(json["mmu"]["mode"], "soft");
  EXPECT_EQ(json["by ASID"][0]["asid"], 3);
  EXPECT_EQ(json["by ASID"][1]["time"], 0.5);
  EXPECT_EQ(json["by ASID"][1]["walks"], 8);
  EXPECT_NE(text.find("    3      0.250          7\n"), std::string::npos) << text;
  EXPECT_EQ(json["cpu"]["time"], 1.5);
  EXPECT_EQ(json["cpu"]["units"]["time"], "s");
  EXPECT_FALSE(OutputFile::open("--stats-json", "/nonexistent/file.json"));
  output = OutputFile::open("--stats-json", "/dev/full");
  ASSERT_TRUE(output) << output.error();
  EXPECT_FALSE(table.write_json(*output));
}

}  // namespace
}  // namespace crosswalk::vmm
