// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/loader/device_tree.h"

#include <libfdt.h>
#include <sys/random.h>

#include <algorithm>
#include <cstdio>
#include <initializer_list>

#include "vmm/base/file.h"
#include "vmm/devices/fw_cfg.h"
#include "vmm/devices/pflash.h"
#include "vmm/devices/pl061.h"
#include "vmm/machine/board/board_table.h"
#include "vmm/machine/board/memory_map.h"

namespace crosswalk::vmm {
namespace {

constexpr int kWorkingBytes = 1 << 20;
constexpr uint64_t kMaxFileBytes = 16 << 20;

// Phandles as QEMU numbers them: of the CPUs, the last is first.
constexpr uint32_t kClock = 0x8000;
uint32_t cpu_phandle(unsigned cpu, unsigned cpus) { return kClock + cpus - cpu; }
uint32_t gic_phandle(unsigned cpus) { return kClock + 1 + cpus; }
// Between the two is that of the MSI frame, which this board has not.
uint32_t gpio_phandle(unsigned cpus) { return kClock + 3 + cpus; }
// Interrupt specifiers (GIC binding): type, number, flags.
constexpr uint32_t kSpiType = 0, kPpiType = 1;
constexpr uint32_t kEdgeRising = 1, kLevelHigh = 4;
// of a PPI: the CPUs that have it
uint32_t cpu_mask(unsigned cpus) { return ((1u << cpus) - 1) << 8; }
// PSCI 0.1 function identifiers, which the binding asks for next to "arm,psci-0.2".
constexpr uint32_t kPsciSuspend = 0x84000001, kPsciOff = 0x84000002, kPsciOn = 0x84000003, kPsciMigrate = 0x84000005;

// Remembers the first error, so that building reads as a list.
class Writer {
 public:
  explicit Writer(void* fdt) : fdt_(fdt) {}

  void begin(const std::string& name) { check(fdt_begin_node(fdt_, name.c_str())); }
  void end() { check(fdt_end_node(fdt_)); }
  void cells(const char* name, const std::vector<uint32_t>& values) {
    std::vector<fdt32_t> data;
    data.reserve(values.size());
    for (uint32_t value : values) data.push_back(cpu_to_fdt32(value));
    check(fdt_property(fdt_, name, data.data(), static_cast<int>(data.size() * sizeof(fdt32_t))));
  }
  // With #address-cells = #size-cells = 2.
  void reg(std::initializer_list<uint64_t> values) {
    std::vector<fdt64_t> data;
    for (uint64_t value : values) data.push_back(cpu_to_fdt64(value));
    check(fdt_property(fdt_, "reg", data.data(), static_cast<int>(data.size() * sizeof(fdt64_t))));
  }
  // `text` may hold several strings, separated by NULs.
  void string(const char* name, const std::string& text) {
    check(fdt_property(fdt_, name, text.c_str(), static_cast<int>(text.size() + 1)));
  }
  void bytes(const char* name, const void* data, size_t size) {
    check(fdt_property(fdt_, name, data, static_cast<int>(size)));
  }
  void flag(const char* name) { check(fdt_property(fdt_, name, nullptr, 0)); }
  void check(int status) {
    if (error_ == 0 && status < 0) error_ = status;
  }
  int error() const { return error_; }

 private:
  void* fdt_;
  int error_ = 0;
};

std::string at(const char* name, uint64_t address) {
  char text[64];
  std::snprintf(text, sizeof text, "%s@%llx", name, static_cast<unsigned long long>(address));
  return text;
}

template <size_t N>
std::string list(const char (&text)[N]) {
  return std::string(text, N - 1);
}

void write_cpus(Writer& w, const BoardDescription& board) {
  w.begin("cpus");
  w.cells("#address-cells", {1});
  w.cells("#size-cells", {0});
  w.begin("cpu-map");
  w.begin("socket0");
  w.begin("cluster0");
  for (unsigned cpu = 0; cpu < board.cpus; ++cpu) {
    w.begin("core" + std::to_string(cpu));
    w.cells("cpu", {cpu_phandle(cpu, board.cpus)});
    w.end();
  }
  w.end();
  w.end();
  w.end();
  for (unsigned cpu = 0; cpu < board.cpus; ++cpu) {
    w.begin("cpu@" + std::to_string(cpu));
    w.string("device_type", "cpu");
    w.string("compatible", board.cpu_compatible);
    if (board.cpus > 1) w.string("enable-method", "psci");
    w.cells("reg", {cpu});  // MPIDR's affinity fields
    w.cells("phandle", {cpu_phandle(cpu, board.cpus)});
    w.end();
  }
  w.end();
}

void write_gic_and_timer(Writer& w, unsigned cpus) {
  w.begin("timer");
  w.string("compatible", "arm,armv7-timer");
  w.flag("always-on");
  // Secure physical, non-secure physical, virtual, hypervisor; PPI n is INTID 16 + n.
  const uint32_t flags = cpu_mask(cpus) | kLevelHigh;
  w.cells("interrupts",
          {kPpiType, kSecurePhysicalTimerInterrupt - 16, flags, kPpiType, kPhysicalTimerInterrupt - 16, flags, kPpiType,
           kVirtualTimerInterrupt - 16, flags, kPpiType, kHypTimerInterrupt - 16, flags});
  w.end();
  w.begin(at("intc", kGicDistributorBase));
  w.string("compatible", "arm,cortex-a15-gic");
  w.reg({kGicDistributorBase, 0x10000, kGicCpuInterfaceBase, 0x10000});
  w.cells("#interrupt-cells", {3});
  w.cells("#address-cells", {2});
  w.cells("#size-cells", {2});
  w.flag("interrupt-controller");
  w.flag("ranges");
  w.cells("phandle", {gic_phandle(cpus)});
  w.end();
}

// QEMU names no interrupt for ARMv7 CPUs; for others it is this one.
void write_pmu(Writer& w, const BoardDescription& board) {
  w.begin("pmu");
  w.string("compatible", board.cpu_compatible + "-pmu");
  w.cells("interrupts", {kPpiType, kPerformanceInterrupt - 16, cpu_mask(board.cpus) | kLevelHigh});
  w.end();
}

// One node a device of the board's table.
void write_devices(Writer& w, const BoardDescription& board) {
  for (const BoardRow& row : board_table()) {
    if (row.base == kSecondUartBase && !board.second_uart) continue;
    for (unsigned index = 0; row.spi >= 0 && index < row.count; ++index) {
      w.begin(at(row.name, row.base_of(index)));
      w.string("compatible", std::string(row.compatible));
      w.reg({row.base_of(index), row.size});
      w.cells("interrupts", {kSpiType, static_cast<uint32_t>(row.spi) + index,
                             row.trigger == Trigger::EdgeRising ? kEdgeRising : kLevelHigh});
      if (!row.clock_names.empty()) {
        w.cells("clocks", std::vector<uint32_t>(1 + std::ranges::count(row.clock_names, '\0'), kClock));
        w.string("clock-names", std::string(row.clock_names));
      }
      if (row.dma_coherent) w.flag("dma-coherent");
      w.end();
    }
  }
}

// Which port is ttyAMA0, as QEMU says it: with one port there is no need to.
void write_aliases(Writer& w) {
  w.begin("aliases");
  w.string("serial0", "/" + at("pl011", kUartBase));
  w.string("serial1", "/" + at("pl011", kSecondUartBase));
  w.end();
}

void write_flash(Writer& w) {
  w.begin(at("flash", kFlashBase));
  w.string("compatible", "cfi-flash");
  w.reg({kFlashBase, Pflash::kRegionBytes, kFlashBase + Pflash::kRegionBytes, Pflash::kRegionBytes});
  w.cells("bank-width", {4});
  w.end();
}

void write_fw_cfg(Writer& w) {
  w.begin(at("fw-cfg", kFwCfgBase));
  w.string("compatible", "qemu,fw-cfg-mmio");
  w.reg({kFwCfgBase, FwCfg::kRegionBytes});
  w.flag("dma-coherent");
  w.end();
}

// And the power button at one of its lines.
void write_gpio(Writer& w, unsigned cpus) {
  constexpr uint32_t kKeyPower = 116;  // linux/input-event-codes.h
  w.begin(at("pl061", kGpioBase));
  w.string("compatible", list("arm,pl061\0arm,primecell"));
  w.reg({kGpioBase, Pl061::kRegionBytes});
  w.cells("interrupts", {kSpiType, kGpioSpi, kLevelHigh});
  w.cells("clocks", {kClock});
  w.string("clock-names", "apb_pclk");
  w.cells("#gpio-cells", {2});
  w.flag("gpio-controller");
  w.cells("phandle", {gpio_phandle(cpus)});
  w.end();
  w.begin("gpio-keys");
  w.string("compatible", "gpio-keys");
  w.begin("poweroff");
  w.string("label", "GPIO Key Poweroff");
  w.cells("linux,code", {kKeyPower});
  w.cells("gpios", {gpio_phandle(cpus), Pl061::kPowerButton, 0});
  w.end();
  w.end();
}

void write_psci(Writer& w) {
  w.begin("psci");
  w.string("compatible", list("arm,psci-1.0\0arm,psci-0.2\0arm,psci"));
  w.string("method", "hvc");
  w.cells("cpu_suspend", {kPsciSuspend});
  w.cells("cpu_off", {kPsciOff});
  w.cells("cpu_on", {kPsciOn});
  w.cells("migrate", {kPsciMigrate});
  w.end();
}

// Big-endian number of `cells` cells.
void append_cells(std::vector<uint8_t>& out, uint64_t value, uint32_t cells) {
  for (uint32_t i = cells * 4; i-- > 0;) out.push_back(i < 8 ? static_cast<uint8_t>(value >> i * 8) : 0);
}

Error tree_error(int status) { return Error{std::string("cannot change the device tree: ") + fdt_strerror(status)}; }

// #address-cells or #size-cells of the root; 0 when malformed.
uint32_t root_cells(const void* fdt, const char* name, uint32_t otherwise) {
  int length = 0;
  const auto* value = static_cast<const fdt32_t*>(fdt_getprop(fdt, 0, name, &length));
  if (!value) return otherwise;
  return length == 4 && fdt32_to_cpu(*value) <= 2 ? fdt32_to_cpu(*value) : 0;
}

int subnode(void* fdt, const char* name) {
  const int node = fdt_subnode_offset(fdt, 0, name);
  return node == -FDT_ERR_NOTFOUND ? fdt_add_subnode(fdt, 0, name) : node;
}

// The top-level nodes with device_type "memory".
int remove_memory_nodes(void* fdt) {
  for (int node = fdt_first_subnode(fdt, 0); node >= 0;) {
    int length = 0;
    const char* type = static_cast<const char*>(fdt_getprop(fdt, node, "device_type", &length));
    if (type && std::string(type, strnlen(type, static_cast<size_t>(length))) == "memory") {
      if (const int status = fdt_del_node(fdt, node); status < 0) return status;
      node = fdt_first_subnode(fdt, 0);  // offsets have moved
    } else {
      node = fdt_next_subnode(fdt, node);
    }
  }
  return 0;
}

int add_psci(void* fdt) {
  if (fdt_subnode_offset(fdt, 0, "psci") >= 0) return 0;  // taken as it is
  const int node = fdt_add_subnode(fdt, 0, "psci");
  if (node < 0) return node;
  const std::string compatible = list("arm,psci-1.0\0arm,psci-0.2\0arm,psci");
  int status = fdt_setprop(fdt, node, "compatible", compatible.c_str(), static_cast<int>(compatible.size() + 1));
  if (status == 0) status = fdt_setprop_string(fdt, node, "method", "hvc");
  if (status == 0) status = fdt_setprop_u32(fdt, node, "cpu_suspend", kPsciSuspend);
  if (status == 0) status = fdt_setprop_u32(fdt, node, "cpu_off", kPsciOff);
  if (status == 0) status = fdt_setprop_u32(fdt, node, "cpu_on", kPsciOn);
  if (status == 0) status = fdt_setprop_u32(fdt, node, "migrate", kPsciMigrate);
  return status;
}

}  // namespace

Result<DeviceTree> build_device_tree(const BoardDescription& board) {
  DeviceTree tree(kWorkingBytes);
  Writer w(tree.data());
  w.check(fdt_create(tree.data(), kWorkingBytes));
  w.check(fdt_finish_reservemap(tree.data()));
  w.begin("");
  w.string("compatible", "linux,dummy-virt");
  w.string("model", "linux,dummy-virt");
  w.cells("#address-cells", {2});
  w.cells("#size-cells", {2});
  w.cells("interrupt-parent", {gic_phandle(board.cpus)});
  w.begin("chosen");
  uint8_t seed[40];
  if (getrandom(seed, sizeof seed, 0) != sizeof seed) return Error{"the host gives no random numbers (getrandom)"};
  w.bytes("kaslr-seed", seed, 8);
  w.bytes("rng-seed", seed + 8, 32);
  w.string("stdout-path", "/" + at("pl011", kUartBase));
  w.end();
  if (board.second_uart) write_aliases(w);
  w.begin("apb-pclk");
  w.string("compatible", "fixed-clock");
  w.cells("#clock-cells", {0});
  w.cells("clock-frequency", {24'000'000});
  w.string("clock-output-names", "clk24mhz");
  w.cells("phandle", {kClock});
  w.end();
  write_cpus(w, board);
  write_gic_and_timer(w, board.cpus);
  write_pmu(w, board);
  if (board.flash) write_flash(w);
  write_devices(w, board);
  write_fw_cfg(w);
  write_gpio(w, board.cpus);
  write_psci(w);
  w.end();
  w.check(fdt_finish(tree.data()));
  if (w.error()) return Error{std::string("cannot build the device tree: ") + fdt_strerror(w.error())};
  tree.resize(fdt_totalsize(tree.data()));
  return tree;
}

Result<DeviceTree> load_device_tree(const std::string& path) {
  auto file = read_file(path, "--dtb", kMaxFileBytes);
  if (!file) return file.take_error();
  if (file->empty()) return Error{"--dtb: " + path + " is empty; give a flattened device tree"};
  // Formats before 16 name nodes otherwise, and libfdt 1.6's fdt_check_full follows a null pointer
  // for some of them.
  constexpr uint32_t kFirstVersion = 16;
  if (file->size() >= FDT_V3_SIZE && fdt_magic(file->data()) == FDT_MAGIC &&
      fdt_version(file->data()) < kFirstVersion) {
    return Error{"--dtb: " + path + " has version " + std::to_string(fdt_version(file->data())) +
                 " of the device tree format; make one of version 17 with dtc"};
  }
  // Checks the header, the structure block and that every offset lies within the file.
  if (const int status = fdt_check_full(file->data(), file->size()); status < 0) {
    return Error{"--dtb: " + path + " is not a valid device tree blob (" + fdt_strerror(status) +
                 "); make one with dtc"};
  }
  return std::move(*file);
}

Result<DeviceTree> patch_device_tree(const DeviceTree& source, const DeviceTreePatch& patch) {
  DeviceTree tree(source.size() + patch.bootargs.size() + 4096);
  void* fdt = tree.data();
  if (const int status = fdt_open_into(source.data(), fdt, static_cast<int>(tree.size())); status < 0)
    return tree_error(status);
  // The specification's defaults are 2 and 1.
  const uint32_t address_cells = root_cells(fdt, "#address-cells", 2), size_cells = root_cells(fdt, "#size-cells", 1);
  if (address_cells == 0 || size_cells == 0) {
    return Error{"--dtb: the root node's #address-cells or #size-cells is not 1 or 2; correct the device tree"};
  }
  int status = remove_memory_nodes(fdt);
  const int memory = status < 0 ? status : fdt_add_subnode(fdt, 0, at("memory", patch.ram_base).c_str());
  if (memory < 0) return tree_error(memory);
  std::vector<uint8_t> reg;
  append_cells(reg, patch.ram_base, address_cells);
  append_cells(reg, patch.ram_bytes, size_cells);
  status = fdt_setprop_string(fdt, memory, "device_type", "memory");
  if (status == 0) status = fdt_setprop(fdt, memory, "reg", reg.data(), static_cast<int>(reg.size()));
  if (status == 0) status = add_psci(fdt);
  if (status < 0) return tree_error(status);
  const int chosen = subnode(fdt, "chosen");
  if (chosen < 0) return tree_error(chosen);
  if (!patch.bootargs.empty()) status = fdt_setprop_string(fdt, chosen, "bootargs", patch.bootargs.c_str());
  if (status == 0 && patch.initrd_start != patch.initrd_end) {
    status = fdt_setprop_u32(fdt, chosen, "linux,initrd-start", static_cast<uint32_t>(patch.initrd_start));
    if (status == 0) status = fdt_setprop_u32(fdt, chosen, "linux,initrd-end", static_cast<uint32_t>(patch.initrd_end));
  }
  if (status == 0) status = fdt_pack(fdt);
  if (status < 0) return tree_error(status);
  const uint32_t bytes = fdt_totalsize(fdt) + patch.room;
  tree.resize(std::max<size_t>(tree.size(), bytes));
  if (const int opened = fdt_open_into(tree.data(), tree.data(), static_cast<int>(bytes)); opened < 0)
    return tree_error(opened);
  tree.resize(bytes);
  return tree;
}

}  // namespace crosswalk::vmm
