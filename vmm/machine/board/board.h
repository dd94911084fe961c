// SPDX-License-Identifier: GPL-2.0-or-later
// The devices of the board, made from its table, and the bus on which they are.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "translator/base/result.h"
#include "vmm/devices/console.h"
#include "vmm/devices/fw_cfg.h"
#include "vmm/devices/gicv2.h"
#include "vmm/devices/pflash.h"
#include "vmm/devices/pl011.h"
#include "vmm/devices/pl031.h"
#include "vmm/devices/pl061.h"
#include "vmm/devices/virtio_9p.h"
#include "vmm/devices/virtio_console.h"
#include "vmm/devices/virtio_mmio.h"
#include "vmm/devices/virtio_net.h"
#include "vmm/machine/board/board_table.h"
#include "vmm/machine/board/bus.h"
#include "vmm/machine/io/io_thread.h"
#include "vmm/net/net_config.h"
#include "vmm/share/share_config.h"

namespace crosswalk::vmm {

class StatisticsTable;

struct DiskConfig {
  std::string path;
  bool read_only = false;
  bool any_format = false;  // served as it is, even if it looks like an image of another format
};

// What a bank of flash has at first.
struct FlashConfig {
  std::string path;  // empty: zeros
  bool read_only = false;
  bool copy = false;  // --bios: what is written does not go to the file
};

struct BoardConfig {
  unsigned cpus = 1;
  std::vector<DiskConfig> disks;
  // there is one, and console input goes there instead of to the PL011
  bool virtio_console = false;
  NetConfig network;
  std::vector<ShareConfig> shares;
  FlashConfig flash[FlashBanks::kBanks];  // if RAM comes with flash
};

// What the devices need of the machine, which outlives them.
struct BoardPorts {
  std::mutex& device_lock;
  const GuestRam& ram;
  ConsoleOutputs consoles;  // the first one is there
  CpuInterruptOutputs& cpu_lines;
  WallClock& clock;
  CompletionSink& completions;
  IoThreads& io;
};

class Board {
 public:
  static Result<std::unique_ptr<Board>> create(const BoardPorts& ports, const BoardConfig& config);

  // With the device lock held.
  const Bus& bus() const { return bus_; }
  GicV2& gic() { return gic_; }
  Pl011& uart() { return *uarts_[0]; }
  // Null: there is none. `port` is below kSerialPorts.
  Pl011* uart(unsigned port) { return uarts_[port].get(); }
  Pl031& rtc() { return *rtc_; }
  FwCfg& fw_cfg() { return *fw_cfg_; }
  Pl061& gpio() { return *gpio_; }
  // Null: there is none. `bank` is below FlashBanks::kBanks.
  Pflash* flash(unsigned bank) { return flash_[bank].get(); }
  // The file's of --pflash, for messages; empty: there is none.
  const std::string& flash_path(unsigned bank) const { return config_.flash[bank].path; }
  // What devices have done to memory since they were taken care of last.
  MemoryChanges& memory_changes() { return memory_changes_; }
  VirtioMmio& virtio_slot(unsigned slot) { return *virtio_[slot]; }
  // Null: there is none.
  VirtioConsole* virtio_console() { return virtio_console_; }
  // Whether the guest has a shared folder mounted, whose files cannot be saved with its state. Any
  // thread.
  bool has_share_session() const;
  // The port's output has room again. With the device lock held.
  void output_drained(unsigned port);

  // All devices as they were at the start. With the device lock held.
  void reset();
  // The machine stops: a CPU that waits for a device's reset waits no more. Any thread.
  void stop();
  void add_statistics(StatisticsTable& table) const;

  // ---- for the table's rows ----
  Result<MmioDevice*> make_gic(const BoardRow& row, unsigned index);
  Result<MmioDevice*> make_uart(const BoardRow& row, unsigned port);
  Result<MmioDevice*> make_rtc(const BoardRow& row);
  Result<MmioDevice*> make_flash(unsigned bank);
  Result<MmioDevice*> make_fw_cfg();
  Result<MmioDevice*> make_gpio();
  Result<MmioDevice*> make_virtio(const BoardRow& row, unsigned slot);

 private:
  Board(const BoardPorts& ports, const BoardConfig& config);
  Result<std::unique_ptr<VirtioDevice>> make_virtio_device(unsigned slot);
  Result<std::unique_ptr<VirtioDevice>> make_share(const ShareConfig& config);

  BoardPorts ports_;
  BoardConfig config_;
  size_t files_per_share_ = 0;
  MemoryChanges memory_changes_;
  GicV2 gic_;
  Bus bus_;
  std::unique_ptr<Pflash> flash_[FlashBanks::kBanks];
  std::unique_ptr<FwCfg> fw_cfg_;
  std::unique_ptr<Pl061> gpio_;
  std::unique_ptr<Pl011> uarts_[kSerialPorts];
  std::unique_ptr<Pl031> rtc_;
  std::vector<std::unique_ptr<TransportWork>> works_;  // of devices that have threads
  std::vector<std::unique_ptr<VirtioMmio>> virtio_;
  // owned by their transports
  VirtioConsole* virtio_console_ = nullptr;
  VirtioNet* virtio_net_ = nullptr;
  std::vector<Virtio9p*> virtio_9p_;
};

}  // namespace crosswalk::vmm
