// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/qemu_options.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

#include "vmm/app/option_values.h"

namespace crosswalk::vmm {
namespace {

using Words = std::vector<OptionWords>;

struct Row {
  const char* names;  // without dashes, separated by spaces
  bool takes_value;
  const char* ours;  // the option of run that it becomes; null: none
  // what it becomes; null: `ours` with the same value
  Result<Words> (*convert)(const std::string& value);
  // without `ours` and `convert`: values that say what is so anyway, separated by spaces; null: all
  // are answered. A switch has the value "on".
  const char* so_anyway;
  const char* answer;  // to other values
};

bool is_one_of(std::string_view list, const std::string& word) {
  std::istringstream stream{std::string(list)};
  for (std::string other; stream >> other;) {
    if (other == word) return true;
  }
  return false;
}

// "a,b=c" as (implied, a), (b, c); a later word alone is a switch that is on.
std::vector<std::pair<std::string, std::string>> parts_of(const std::string& value, const std::string& implied) {
  std::vector<std::pair<std::string, std::string>> parts;
  for (const std::string& part : split(value)) {
    const size_t equals = part.find('=');
    if (equals != std::string::npos)
      parts.emplace_back(part.substr(0, equals), part.substr(equals + 1));
    else if (parts.empty())
      parts.emplace_back(implied, part);
    else
      parts.emplace_back(part, "on");
  }
  return parts;
}

Result<Words> memory(const std::string& value) {
  std::string size;
  for (const auto& [name, text] : parts_of(value, "size")) {
    if (name != "size") return Error{"no memory is added later; give --memory SIZE"};
    size = text;
  }
  return Words{{"memory", {size}}};
}

Result<Words> cpus(const std::string& value) {
  std::string count, most;
  uint64_t product = 1;
  for (const auto& [name, text] : parts_of(value, "cpus")) {
    if (name == "cpus")
      count = text;
    else if (name == "maxcpus")
      most = text;
    else if (is_one_of("sockets dies clusters cores threads", name))
      product = std::min<uint64_t>(product, 100) * std::min<uint64_t>(parse_size(text), 100);
    else
      return Error{"unknown part '" + name + "'; give --smp N"};
  }
  if (count.empty()) count = std::to_string(product);
  if (!most.empty() && most != count) return Error{"no CPU is added later; give --smp N"};
  return Words{{"smp", {count}}};
}

Result<Words> machine(const std::string& value) {
  Words words;
  for (const auto& [name, text] : parts_of(value, "type")) {
    if (name == "type" ? text == "virt" || text.starts_with("virt-")
                       : is_one_of("gic-version=2 secure=off virtualization=off highmem=on highmem=off its=off usb=off "
                                   "graphics=off acpi=off accel=tcg",
                                   name + "=" + text))
      continue;
    if (name != "dumpdtb")
      return Error{"no " + name + "=" + text + " here; the board is QEMU's virt with a GICv2, and a CPU's modes are " +
                   "those of --mmu and --world"};
    words.push_back({"dump-dtb", {text}});
  }
  return words;
}

Result<Words> cpu(const std::string& value) {
  if (value == "max") return Words{{"cpu", {"cortex-a15"}}};
  if (value.find(',') != std::string::npos) return Error{"no features are chosen here; give --cpu MODEL"};
  return Words{{"cpu", {value}}};
}

Result<Words> drive(const std::string& value) {
  std::string file, flags, flash_flags;
  bool flash = false;
  for (const auto& [name, text] : parts_of(value, "file")) {
    if (name == "file")
      file = text;
    else if (name == "format")
      flags += ",format=" + text;
    else if (name == "if" && text == "pflash")
      flash = true;
    else if (name == "unit")
      flash_flags += ",unit=" + text;
    else if (name == "if" && text != "virtio" && text != "none")
      return Error{"all disks are virtio block devices; give --disk FILE"};
    else if (is_one_of("readonly=on read-only=on media=cdrom", name + "=" + text))
      flags += ",readonly";
    else if (!is_one_of("readonly=off read-only=off media=disk snapshot=off", name + "=" + text) &&
             !is_one_of("if id index bus cache aio discard detect-zeroes", name))
      return Error{"no " + name + "=" + text + " here; give --disk FILE[,readonly][,format=raw]"};
  }
  if (file.empty()) return Error{"no file; give --disk FILE"};
  if (!flash) return Words{{"disk", {file + flags}}};
  if (flags.find("format=") != std::string::npos) {
    const size_t at = flags.find(",format="), end = flags.find(',', at + 1);
    if (flags.substr(at, end - at) != ",format=raw") return Error{"flash is a raw image; give --pflash FILE"};
    flags.erase(at, end - at);
  }
  return Words{{"pflash", {file + flags + flash_flags}}};
}

Result<Words> disk(const std::string& value) { return Words{{"disk", {value}}}; }
Result<Words> read_only_disk(const std::string& value) { return Words{{"disk", {value + ",readonly"}}}; }

// Of -nic, -net and -netdev: what a backend is called is ours, what a card is not.
Result<Words> network(const std::string& value) {
  std::string net;
  for (const std::string& part : split(value)) {
    const std::string name = part.substr(0, part.find('='));
    if (net.empty() || is_one_of("hostfwd restrict tftp bootfile ifname queues mac", name))
      net += (net.empty() ? "" : ",") + part;
    else if (name != "id" && name != "script" && name != "downscript" &&
             !(name == "model" && part.starts_with("model=virtio")))
      return Error{"no " + part + " here; give --net user[,hostfwd=...] or --net tap,ifname=NAME"};
  }
  return Words{{"net", {net}}};
}

constexpr const char* kShareInstead = "give --share DIR,TAG[,readonly] instead";

// Files belong to the user who runs this, as with security_model=none.
Result<Words> folder(const std::string& value) {
  std::string path, tag, flags;
  for (const auto& [name, text] : parts_of(value, "driver")) {
    if (name == "path")
      path = text;
    else if (name == "mount_tag")
      tag = text;
    else if (is_one_of("readonly=on", name + "=" + text))
      flags = ",readonly";
    else if (name == "security_model" && text.starts_with("mapped"))
      return Error{"no owners and modes are kept beside the files; give security_model=none, or --share DIR,TAG"};
    else if (!is_one_of("driver=local readonly=off security_model=none security_model=passthrough",
                        name + "=" + text) &&
             !is_one_of("id multidevs", name))
      return Error{"no " + name + "=" + text + " here; give --share DIR,TAG[,readonly]"};
  }
  if (path.empty() || tag.empty()) return Error{"path= and mount_tag= are needed; or give --share DIR,TAG[,readonly]"};
  return Words{{"share", {path + "," + tag + flags}}};
}

Result<Words> device(const std::string& value) {
  const std::string driver = value.substr(0, value.find(','));
  // A disk of -drive and a network of -netdev have their devices, and there always is a source of
  // entropy.
  if (driver.starts_with("virtio-blk") || driver.starts_with("virtio-net") || driver.starts_with("virtio-rng"))
    return Words{};
  if (driver.starts_with("virtio-serial") || driver.starts_with("virtconsole"))
    return Error{"give --console virtio instead"};
  if (driver.starts_with("virtio-9p")) return Error{kShareInstead};
  if (driver.find("net") != std::string::npos || driver.starts_with("e1000"))
    return Error{"the network card is a virtio device; give --net"};
  return Error{"no such device here; there are --disk, --net, --share and --console virtio, and always entropy"};
}

Result<Words> escape(const std::string& value) {
  const uint64_t byte = parse_size(value);
  if (byte < 1 || byte > 26) return Error{"give --escape LETTER; 1 is that of Ctrl and a"};
  return Words{{"escape", {std::string(1, static_cast<char>('a' - 1 + byte))}}};
}

// A character device's words for what is so anyway are left out.
Result<Words> debugger(const std::string& value) {
  std::string address;
  for (const std::string& part : split(value)) {
    if (address.empty())
      address = part;
    else if (!is_one_of("server server=on nowait wait=off nodelay nodelay=on ipv4 ipv4=on", part))
      return Error{"no " + part + " here; give --gdb [HOST:]PORT or --gdb unix:PATH"};
  }
  return Words{{"gdb", {address}}};
}
Result<Words> debugger_port(const std::string&) { return Words{{"gdb", {"1234"}}}; }

Result<Words> semihosting(const std::string& value) {
  for (const auto& [name, text] : parts_of(value, "enable")) {
    if (!is_one_of("enable=on target=native target=auto", name + "=" + text))
      return Error{"no " + name + "=" + text + " here; give --semihosting, and arguments by --append"};
  }
  return Words{{"semihosting", {}}};
}

// A server's socket that the run does not wait for.
Result<Words> socket(const std::string& value) {
  std::string path;
  for (const auto& [name, text] : parts_of(value, "path")) {
    if (name == "path")
      path = text;
    else if (!is_one_of("server=on server wait=off nowait=on", name + "=" + text) && name != "server" &&
             name != "nowait")
      return Error{"no " + name + "=" + text + " here; give --control unix:PATH"};
  }
  return Words{{"control", {path}}};
}

Result<Words> serial(const std::string& value) {
  if (value == "mon:stdio") return Words{{"serial", {"stdio"}}};
  if (value == "none") return Words{{"serial", {"null"}}};
  if (!value.starts_with("unix:")) return Words{{"serial", {value}}};
  auto words = socket(value);
  if (!words) return words;
  return Words{{"serial", words->front().values}};
}

constexpr const char* kNoScreen = "no screen here; the guest's console is this terminal";
constexpr const char* kNoMonitor = "no monitor here; --control unix:PATH takes commands, and Ctrl-A h lists the keys";
constexpr const char* kNoSnapshot = "snapshots are files of their own here; see crosswalk snapshot and --restore FILE";
constexpr const char* kNoThrowAway =
    "what a guest writes is kept; copy the disk image before the run, or give --disk FILE,readonly";
constexpr const char* kTranslated = "ARM code is translated here; --mmu and --world say how";
// clang-format off
constexpr Row kRows[] = {
    {"kernel", true, "kernel", nullptr, nullptr, nullptr},
    {"initrd", true, "initrd", nullptr, nullptr, nullptr},
    {"append", true, "append", nullptr, nullptr, nullptr},
    {"dtb", true, "dtb", nullptr, nullptr, nullptr},
    {"m", true, "memory", memory, nullptr, nullptr},
    {"smp", true, "smp", cpus, nullptr, nullptr},
    {"M machine", true, "dump-dtb", machine, nullptr, nullptr},
    {"cpu", true, "cpu", cpu, nullptr, nullptr},
    {"drive", true, "disk", drive, nullptr, nullptr},
    {"hda hdb hdc hdd", true, "disk", disk, nullptr, nullptr},
    {"cdrom", true, "disk", read_only_disk, nullptr, nullptr},
    {"device", true, nullptr, device, nullptr, nullptr},
    {"semihosting", false, "semihosting", nullptr, nullptr, nullptr},
    {"semihosting-config", true, "semihosting", semihosting, nullptr, nullptr},
    {"sandbox", true, "sandbox", nullptr, nullptr, nullptr},
    {"echr", true, "escape", escape, nullptr, nullptr},
    {"h", false, "help", nullptr, nullptr, nullptr},

    {"nographic no-reboot nodefaults no-user-config no-acpi no-fd-bootchk", false, nullptr, nullptr, "on", nullptr},
    {"display", true, nullptr, nullptr, "none", kNoScreen},
    {"vga", true, nullptr, nullptr, "none", kNoScreen},
    {"vnc spice", true, nullptr, nullptr, "none", kNoScreen},
    {"serial", true, "serial", serial, nullptr, nullptr},
    {"parallel", true, nullptr, nullptr, "none", "no parallel port here"},
    {"monitor", true, nullptr, nullptr, "none", kNoMonitor},
    {"qmp qmp-pretty", true, "control", socket, nullptr, nullptr},
    {"mon chardev", true, nullptr, nullptr, nullptr, kNoMonitor},
    {"accel", true, nullptr, nullptr, "tcg tcg,thread=multi", kTranslated},
    {"enable-kvm", false, nullptr, nullptr, nullptr, kTranslated},
    {"global", true, nullptr, nullptr, "virtio-mmio.force-legacy=false virtio-mmio.force-legacy=off", "no properties of devices are set here"},
    {"object", true, nullptr, nullptr, "rng-random,id=rng0,filename=/dev/urandom rng-builtin,id=rng0", "no objects here; there always is a source of entropy, of the host's random numbers"},
    {"audio audiodev", true, nullptr, nullptr, "none", "no sound here"},
    {"rtc", true, nullptr, nullptr, "base=utc", "the clock is the host's, in UTC"},
    {"nic net netdev", true, "net", network, nullptr, nullptr},
    {"virtfs", true, "share", folder, nullptr, nullptr},

    {"bios", true, "bios", nullptr, nullptr, nullptr},
    {"pflash", true, "pflash", nullptr, nullptr, nullptr},
    {"mtdblock", true, nullptr, nullptr, nullptr, "flash is --pflash FILE"},
    {"fw_cfg", true, nullptr, nullptr, nullptr, "no files are added to fw_cfg; give --kernel, --initrd and --append"},
    {"sd fda fdb", true, nullptr, nullptr, nullptr, "all disks are virtio block devices; give --disk FILE"},
    {"blockdev", true, nullptr, nullptr, nullptr, "give --disk FILE[,readonly][,format=raw] instead"},
    {"s", false, "gdb", debugger_port, nullptr, nullptr},
    {"S", false, "wait", nullptr, nullptr, nullptr},
    {"gdb", true, "gdb", debugger, nullptr, nullptr},
    {"fsdev", true, nullptr, nullptr, nullptr, kShareInstead},
    {"loadvm incoming", true, nullptr, nullptr, nullptr, kNoSnapshot},
    {"snapshot", false, nullptr, nullptr, nullptr, kNoThrowAway},
    {"no-shutdown", false, nullptr, nullptr, nullptr, "the run ends with the guest; docs/exit-status.md lists the ends"},
    {"icount", true, nullptr, nullptr, nullptr, "time passes as on the host; --count-instructions counts"},
    {"usb", false, nullptr, nullptr, nullptr, "no USB here"},
    {"usbdevice", true, nullptr, nullptr, nullptr, "no USB here"},
    {"daemonize", false, nullptr, nullptr, nullptr, "the run stays in the foreground; let the shell put it behind (&)"},
    {"name uuid pidfile", true, nullptr, nullptr, nullptr, "a run has no name; leave it out"},
    {"boot", true, nullptr, nullptr, nullptr, "what is booted is --kernel FILE"},
    {"version", false, nullptr, nullptr, nullptr, "give crosswalk --version"},
};
// clang-format on

const Row* find_row(const std::string& name) {
  const auto* row = std::ranges::find_if(kRows, [&](const Row& r) { return is_one_of(r.names, name); });
  return row == std::end(kRows) ? nullptr : row;
}

Result<Words> meaning(const Row& row, const std::string& value) {
  if (row.convert) return row.convert(value);
  if (row.ours)
    return Words{{row.ours, row.takes_value ? std::vector<std::string>{value} : std::vector<std::string>{}}};
  if (row.so_anyway && is_one_of(row.so_anyway, value)) return Words{};
  return Error{row.answer};
}

}  // namespace

Result<std::vector<OptionWords>> take_qemu_option(std::vector<std::string>& arguments) {
  const std::string option = arguments.front();
  if (!option.starts_with('-')) return Words{};
  const bool long_form = option.starts_with("--");
  const std::string name = option.substr(long_form ? 2 : 1);
  const Row* row = find_row(name);
  if (!row || (long_form && row->ours && name == row->ours)) return Words{};
  if (row->takes_value && arguments.size() == 1) return Error{option + ": the value is missing"};
  const std::string value = row->takes_value ? arguments[1] : "on";
  auto words = meaning(*row, value);
  if (!words) return Error{option + (row->takes_value ? " " + value : "") + ": " + words.error()};
  arguments.erase(arguments.begin(), arguments.begin() + (row->takes_value ? 2 : 1));
  return words;
}

std::vector<std::string> qemu_option_names() {
  std::vector<std::string> names;
  for (const Row& row : kRows) {
    std::istringstream stream{std::string(row.names)};
    for (std::string name; stream >> name;) names.push_back(name);
  }
  return names;
}

}  // namespace crosswalk::vmm
