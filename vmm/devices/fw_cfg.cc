// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/fw_cfg.h"

#include <endian.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace crosswalk::vmm {
namespace {

// Registers; all are big-endian.
constexpr uint64_t kSelector = 8, kDma = 16, kDmaEnd = 24;

// Items (QEMU's include/standard-headers/linux/qemu_fw_cfg.h and hw/nvram/fw_cfg_keys.h).
enum Item : uint16_t {
  kSignature = 0x00,
  kId = 0x01,
  kCpus = 0x05,
  kKernelBytes = 0x08,
  kInitrdBytes = 0x0b,
  kMaxCpus = 0x0f,
  kKernel = 0x11,
  kInitrd = 0x12,
  kCommandLineBytes = 0x14,
  kCommandLine = 0x15,
  kFiles = 0x19,
};
constexpr uint32_t kTraditional = 1, kHasDma = 2;

// What a DMA access asks for.
enum Control : uint32_t { kError = 1, kRead = 2, kSkip = 4, kSelect = 8, kWrite = 16 };
struct Access {
  uint32_t control, bytes;
  uint64_t address;
};
static_assert(sizeof(Access) == 16);

std::vector<uint8_t> little_endian(uint32_t value, unsigned bytes) {
  std::vector<uint8_t> out;
  for (unsigned i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> i * 8));
  return out;
}

}  // namespace

FwCfg::FwCfg(const GuestRam& ram, unsigned cpus, MemoryChanges& changes) : ram_(ram), changes_(changes) {
  items_[kSignature] = {'Q', 'E', 'M', 'U'};
  items_[kId] = little_endian(kTraditional | kHasDma, 4);
  items_[kCpus] = items_[kMaxCpus] = little_endian(cpus, 2);
  items_[kFiles] = {0, 0, 0, 0};  // how many there are
}

void FwCfg::set_items(FirmwareItems items) {
  const auto add = [this](Item bytes, Item data, std::vector<uint8_t> content) {
    items_[bytes] = little_endian(static_cast<uint32_t>(content.size()), 4);
    items_[data] = std::move(content);
  };
  add(kKernelBytes, kKernel, std::move(items.kernel));
  add(kInitrdBytes, kInitrd, std::move(items.initrd));
  std::vector<uint8_t> line(items.command_line.begin(), items.command_line.end());
  line.push_back(0);
  add(kCommandLineBytes, kCommandLine, std::move(line));
}

bool FwCfg::has_items() const { return items_.contains(kKernel); }
std::span<const uint8_t> FwCfg::kernel() const { return item(kKernel); }
std::span<const uint8_t> FwCfg::initrd() const { return item(kInitrd); }
std::string FwCfg::command_line() const {
  const auto& line = item(kCommandLine);
  return line.empty() ? "" : std::string(line.begin(), line.end() - 1);
}

const std::vector<uint8_t>& FwCfg::item(uint16_t number) const {
  static const std::vector<uint8_t> none;
  const auto found = items_.find(number);
  return found == items_.end() ? none : found->second;
}

// Zero behind the end.
uint8_t FwCfg::next_byte() {
  const auto& bytes = item(state_.selected);
  return state_.position < bytes.size() ? bytes[state_.position++] : 0;
}

uint32_t FwCfg::read(unsigned, uint64_t offset, unsigned bytes) {
  uint32_t value = 0;
  if (offset < kSelector) {
    for (unsigned i = 0; i < bytes; ++i) value |= uint32_t{next_byte()} << i * 8;
  } else if (offset >= kDma && offset < kDmaEnd) {
    std::memcpy(&value, "QEMU CFG" + (offset - kDma), bytes);
  }
  return value;
}

void FwCfg::write(unsigned, uint64_t offset, unsigned bytes, uint32_t value) {
  if (offset == kSelector && bytes == 2) {
    state_.selected = be16toh(static_cast<uint16_t>(value));
    state_.position = 0;
  } else if (offset == kDma && bytes == 4) {
    state_.dma_address = uint64_t{be32toh(value)} << 32;
  } else if (offset == kDma + 4 && bytes == 4) {
    const uint64_t address = state_.dma_address | be32toh(value);
    state_.dma_address = 0;
    transfer(address);
  }
}

void FwCfg::transfer(uint64_t pa) {
  if (!ram_.contains(pa, sizeof(Access))) return;
  Access access;
  std::memcpy(&access, ram_.at(pa), sizeof access);
  const bool done = perform(be32toh(access.control), be32toh(access.bytes), be64toh(access.address));
  const uint32_t result = htobe32(done ? 0 : uint32_t{kError});
  std::memcpy(ram_.at(pa), &result, sizeof result);
  changes_.any = true;
  changes_.written[1] = {pa, sizeof result};
}

// False: it cannot be done. Items are not written.
bool FwCfg::perform(uint32_t control, uint32_t bytes, uint64_t to) {
  if (control & kSelect) {
    state_.selected = static_cast<uint16_t>(control >> 16);
    state_.position = 0;
  }
  const auto& content = item(state_.selected);
  const auto left = static_cast<uint32_t>(content.size()) - state_.position;
  const uint32_t taken = std::min(bytes, left);
  if (control & kRead) {
    if (bytes != 0 && !ram_.contains(to, bytes)) return false;
    if (taken != 0) std::memcpy(ram_.at(to), content.data() + state_.position, taken);
    if (bytes != taken) std::memset(ram_.at(to + taken), 0, bytes - taken);
    changes_.written[0] = {to, bytes};
  } else if (control & kWrite) {
    return false;
  } else if (!(control & kSkip)) {
    return true;
  }
  state_.position += taken;
  return true;
}

}  // namespace crosswalk::vmm
