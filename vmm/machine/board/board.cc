// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/board/board.h"

#include <algorithm>
#include <string>
#include <utility>

#include "vmm/devices/virtio_block.h"
#include "vmm/devices/virtio_rng.h"
#include "vmm/machine/board/memory_map.h"
#include "vmm/share/file_limit.h"

namespace crosswalk::vmm {
namespace {

using namespace std::string_view_literals;

static_assert(kGicCpuInterfaceBase == kGicDistributorBase + GicV2::kRegionBytes);

constexpr int kNone = -1;
constexpr BoardRow kBoard[] = {
    {"flash", kFlashBase, Pflash::kRegionBytes, FlashBanks::kBanks, kNone, Trigger::LevelHigh, "cfi-flash"sv, ""sv,
     false, [](Board& board, const BoardRow&, unsigned index) { return board.make_flash(index); }},
    {"fw-cfg", kFwCfgBase, FwCfg::kRegionBytes, 1, kNone, Trigger::LevelHigh, "qemu,fw-cfg-mmio"sv, ""sv, true,
     [](Board& board, const BoardRow&, unsigned) { return board.make_fw_cfg(); }},
    {"pl061", kGpioBase, Pl061::kRegionBytes, 1, kNone, Trigger::LevelHigh, "arm,pl061\0arm,primecell"sv, "apb_pclk"sv,
     false, [](Board& board, const BoardRow&, unsigned) { return board.make_gpio(); }},
    {"intc", kGicDistributorBase, GicV2::kRegionBytes, 2, kNone, Trigger::LevelHigh, "arm,cortex-a15-gic"sv, ""sv,
     false, [](Board& board, const BoardRow& row, unsigned index) { return board.make_gic(row, index); }},
    {"pl011", kUartBase, Pl011::kRegionBytes, 1, kUartSpi, Trigger::LevelHigh, "arm,pl011\0arm,primecell"sv,
     "uartclk\0apb_pclk"sv, false, [](Board& board, const BoardRow& row, unsigned) { return board.make_uart(row, 0); }},
    {"pl011", kSecondUartBase, Pl011::kRegionBytes, 1, kSecondUartSpi, Trigger::LevelHigh, "arm,pl011\0arm,primecell"sv,
     "uartclk\0apb_pclk"sv, false, [](Board& board, const BoardRow& row, unsigned) { return board.make_uart(row, 1); }},
    {"pl031", kRtcBase, Pl031::kRegionBytes, 1, kRtcSpi, Trigger::LevelHigh, "arm,pl031\0arm,primecell"sv, "apb_pclk"sv,
     false, [](Board& board, const BoardRow& row, unsigned) { return board.make_rtc(row); }},
    {"virtio_mmio", kVirtioBase, VirtioMmio::kRegionBytes, kVirtioSlots, kVirtioFirstSpi, Trigger::EdgeRising,
     "virtio,mmio"sv, ""sv, true,
     [](Board& board, const BoardRow& row, unsigned index) { return board.make_virtio(row, index); }},
};
static_assert(VirtioMmio::kRegionBytes == kVirtioStride);

// Beside the entropy source, the console and the network.
constexpr unsigned kMaxDisksAndShares = kVirtioSlots - 3;

unsigned interrupt_of(const BoardRow& row, unsigned index = 0) {
  return kFirstSpi + static_cast<unsigned>(row.spi) + index;
}

}  // namespace

std::span<const BoardRow> board_table() { return kBoard; }

Result<std::unique_ptr<Board>> Board::create(const BoardPorts& ports, const BoardConfig& config) {
  std::unique_ptr<Board> board(new Board(ports, config));
  if (config.disks.size() + config.shares.size() > kMaxDisksAndShares) {
    return Error{"--disk: at most " + std::to_string(kMaxDisksAndShares) + " disks" +
                 (config.shares.empty() ? "" : " and folders") + " fit; give fewer"};
  }
  if (!config.shares.empty()) board->files_per_share_ = raise_file_limit(static_cast<unsigned>(config.shares.size()));
  for (const BoardRow& row : board_table()) {
    for (unsigned index = 0; index < row.count; ++index) {
      auto device = row.make(*board, row, index);
      if (!device) return device.take_error();
      if (*device == nullptr) continue;
      if (!board->bus_.add(row.base_of(index), row.size, **device))
        return Error{"the board's memory map has overlapping devices"};
    }
  }
  if (board->virtio_console_) ports.io.console_work().set_input_sink(board->virtio_console_);
  return board;
}

Board::Board(const BoardPorts& ports, const BoardConfig& config)
    : ports_(ports), config_(config), gic_(config.cpus, ports.cpu_lines) {}

Result<MmioDevice*> Board::make_gic(const BoardRow&, unsigned index) {
  return index == 0 ? &gic_.distributor() : &gic_.cpu_interface();
}

Result<MmioDevice*> Board::make_uart(const BoardRow& row, unsigned port) {
  if (!ports_.consoles[port]) return nullptr;
  uarts_[port] = std::make_unique<Pl011>(*ports_.consoles[port], gic_, interrupt_of(row));
  uarts_[port]->set_notifier(&ports_.io.console(port));
  ports_.io.console_work(port).set_input_sink(uarts_[port].get());
  return uarts_[port].get();
}

Result<MmioDevice*> Board::make_rtc(const BoardRow& row) {
  rtc_ = std::make_unique<Pl031>(ports_.clock, gic_, interrupt_of(row));
  return rtc_.get();
}

Result<MmioDevice*> Board::make_flash(unsigned bank) {
  if (!ports_.ram.flash) return nullptr;
  const FlashConfig& config = config_.flash[bank];
  const std::span<uint8_t> contents(ports_.ram.at(kFlashBase + bank * Pflash::kRegionBytes), Pflash::kRegionBytes);
  std::unique_ptr<FlashFile> file;
  if (!config.path.empty()) {
    auto opened =
        FlashFile::open(config.copy ? "--bios" : "--pflash", config.path, config.read_only || config.copy, contents);
    if (!opened) return opened.take_error();
    if (!config.copy) file = std::move(*opened);
  }
  flash_[bank] =
      std::make_unique<Pflash>(*ports_.ram.flash, bank, memory_changes_, contents, std::move(file), config.read_only);
  return flash_[bank].get();
}

Result<MmioDevice*> Board::make_fw_cfg() {
  fw_cfg_ = std::make_unique<FwCfg>(ports_.ram, config_.cpus, memory_changes_);
  return fw_cfg_.get();
}

Result<MmioDevice*> Board::make_gpio() {
  gpio_ = std::make_unique<Pl061>(gic_, kFirstSpi + kGpioSpi);
  ports_.io.console_work().set_power_button([this] { gpio_->press_power_button(); });
  return gpio_.get();
}

Result<MmioDevice*> Board::make_virtio(const BoardRow& row, unsigned slot) {
  auto device = make_virtio_device(slot);
  if (!device) return device.take_error();
  const bool disk = slot >= kVirtioSlots - config_.disks.size(), present = *device != nullptr;
  const bool console = present && virtio_console_ == device->get(), network = present && virtio_net_ == device->get();
  Virtio9p* const share =
      present && !disk && !virtio_9p_.empty() && virtio_9p_.back() == device->get() ? virtio_9p_.back() : nullptr;
  TransportWork* const work =
      disk || network || share ? works_.emplace_back(std::make_unique<TransportWork>()).get() : nullptr;
  IoThread& thread = disk      ? ports_.io.add_disk(*work)
                     : network ? ports_.io.add_network(*work, virtio_net_->poll_group())
                     : share   ? ports_.io.add_share(*work, [share] { share->confine_thread(); })
                               : ports_.io.console();
  const VirtioContext context{ports_.device_lock, ports_.ram, gic_, thread, ports_.completions};
  auto& transport =
      *virtio_.emplace_back(std::make_unique<VirtioMmio>(context, interrupt_of(row, slot), std::move(*device)));
  if (console) virtio_console_->set_transport(&transport);
  if (network) virtio_net_->set_transport(&transport);
  if (work)
    work->attach(transport);
  else if (present)
    ports_.io.console_work().add(transport);
  return &transport;
}

// Disks take the last slots, the first disk the lowest of them: one disk is where QEMU has it, and
// Linux, which probes upwards, calls the first one vda. The entropy source comes below, then the
// console, then the network, and then folders, downwards.
Result<std::unique_ptr<VirtioDevice>> Board::make_virtio_device(unsigned slot) {
  const unsigned first_disk = kVirtioSlots - static_cast<unsigned>(config_.disks.size());
  if (slot >= first_disk) {
    const DiskConfig& disk = config_.disks[slot - first_disk];
    auto opened = VirtioBlock::open(disk.path, disk.read_only, disk.any_format);
    if (!opened) return opened.take_error();
    return std::unique_ptr<VirtioDevice>(std::move(*opened));
  }
  unsigned next = first_disk - 1;
  if (slot == next--) return std::unique_ptr<VirtioDevice>(std::make_unique<VirtioRng>());
  if (config_.virtio_console && slot == next--) {
    auto console = std::make_unique<VirtioConsole>(*ports_.consoles[0]);
    virtio_console_ = console.get();
    return std::unique_ptr<VirtioDevice>(std::move(console));
  }
  if (config_.network.kind != NetKind::None && slot == next--) {
    auto backend = NetBackend::open(config_.network, config_.cpus);
    if (!backend) return backend.take_error();
    auto network = std::make_unique<VirtioNet>(config_.network.mac, std::move(*backend));
    virtio_net_ = network.get();
    return std::unique_ptr<VirtioDevice>(std::move(network));
  }
  if (slot <= next && next - slot < config_.shares.size()) return make_share(config_.shares[next - slot]);
  return std::unique_ptr<VirtioDevice>();
}

Result<std::unique_ptr<VirtioDevice>> Board::make_share(const ShareConfig& config) {
  auto opened = Virtio9p::open(config, files_per_share_);
  if (!opened) return opened.take_error();
  virtio_9p_.push_back(opened->get());
  return std::unique_ptr<VirtioDevice>(std::move(*opened));
}

bool Board::has_share_session() const { return std::ranges::any_of(virtio_9p_, &Virtio9p::has_session); }

void Board::output_drained(unsigned port) {
  uarts_[port]->output_drained();
  if (port == 0 && virtio_console_) virtio_console_->output_drained();
}

void Board::reset() {
  for (const auto& slot : virtio_) slot->reset();
  for (const auto& uart : uarts_)
    if (uart) uart->restore({});
  rtc_->restore({});
  for (const auto& bank : flash_)
    if (bank) bank->restore({});
  fw_cfg_->restore({});
  gpio_->restore({});
  gic_.restore({});
}

void Board::stop() {
  for (const auto& slot : virtio_) slot->stop();
}

void Board::add_statistics(StatisticsTable& table) const {
  gic_.add_statistics(table);
  for (const auto& slot : virtio_) {
    if (slot->device()) slot->device()->add_statistics(table);
  }
}

}  // namespace crosswalk::vmm
