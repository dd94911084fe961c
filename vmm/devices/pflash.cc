// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/pflash.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "vmm/devices/disk_lock.h"

namespace crosswalk::vmm {
namespace {

// Intel's commands (Intel StrataFlash J3, table 4).
enum Command : uint8_t {
  kProgramAlternate = 0x10,
  kErase = 0x20,
  kProgram = 0x40,
  kClearStatus = 0x50,
  kLock = 0x60,
  kReadStatus = 0x70,
  kReadIdentifier = 0x90,
  kQuery = 0x98,
  kProgramBuffer = 0xe8,
  kConfirm = 0xd0,
  kLockBlock = 0x01,
};
enum Status : uint8_t { kReady = 0x80, kEraseError = 0x20, kProgramError = 0x10, kSequenceError = 0x30 };

constexpr uint8_t kManufacturer = 0x89, kDevice = 0x18;  // Intel, 28F128J3
constexpr unsigned kBusBytes = 4, kChips = 2;

// What CFI's query gives, by word address from 0x10 on. Numbers are those of one chip.
constexpr uint8_t kFirstQuery = 0x10;
constexpr uint32_t kChipSector = Pflash::kSectorBytes / kChips, kSectors = Pflash::kRegionBytes / Pflash::kSectorBytes;
constexpr uint8_t kQueryTable[] = {
    'Q',
    'R',
    'Y',
    0x01,
    0x00,  // primary command set: Intel's extended one
    0x31,
    0x00,  // where its table is
    0x00,
    0x00,
    0x00,
    0x00,  // no alternate command set
    0x45,
    0x55,  // VCC from 4.5 V to 5.5 V
    0x00,
    0x00,  // no VPP pin
    0x07,
    0x07,
    0x0a,
    0x00,  // typical time of: a word, a buffer, 2^n us; a block, 2^n ms; the chip
    0x04,
    0x04,
    0x04,
    0x00,  // 2^n times that at most
    0x19,  // 2^n bytes: 32 MiB a chip
    0x02,
    0x00,  // 8 or 16 data lines; here 16
    0x0b,
    0x00,  // 2^n bytes of buffer: 2 KiB a chip
    0x01,  // regions of equal sectors
    (kSectors - 1) & 0xff,
    (kSectors - 1) >> 8,
    kChipSector >> 8 & 0xff,
    kChipSector >> 16,
    'P',
    'R',
    'I',
    '1',
    '0',
    0x00,
    0x00,
    0x00,
    0x00,  // no optional features
    0x00,  // nothing else while erasing is suspended
    0x00,
    0x00,  // no status of blocks' locks
    0x50,
    0x00,  // VCC and VPP of the best performance: 5 V, none
    0x00,  // no protection registers
};
static_assert(sizeof kQueryTable == 0x40 - kFirstQuery);
static_assert(Pflash::kRegionBytes == uint64_t{kChips} << 0x19);
static_assert(Pflash::kBufferBytes == kChips << 0x0b);

uint32_t of_both_chips(uint32_t word) { return word | word << 16; }

// What a load of `bytes` at `offset` gets of what is on the data lines at its word.
uint32_t lanes(uint32_t word, uint64_t offset) { return word >> offset % kBusBytes * 8; }

}  // namespace

// ---- the file -----------------------------------------------------------------------------------

Result<std::unique_ptr<FlashFile>> FlashFile::open(const std::string& option, const std::string& path, bool read_only,
                                                   std::span<uint8_t> bytes) {
  const auto fail = [&](const std::string& why) { return Error{option + ": " + path + ": " + why}; };
  const int fd = ::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const bool denied = errno == EACCES || errno == EROFS || errno == EPERM;
    return Error{option + ": cannot open " + path + ": " + std::strerror(errno) +
                 (denied && !read_only ? " (try --pflash FILE,readonly)" : "")};
  }
  std::unique_ptr<FlashFile> file(new FlashFile(fd, read_only));
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
    return fail("not a regular file; give an image of the flash");
  if (status.st_size == 0)
    return fail("the file is empty; give an image of the flash (truncate -s 64M FILE makes one)");
  if (static_cast<uint64_t>(status.st_size) > bytes.size()) {
    return fail(std::to_string(status.st_size) + " bytes are more than the " + std::to_string(bytes.size() >> 20) +
                " MiB of a bank of flash");
  }
  if (auto locked = lock_disk(fd, read_only); !locked) return fail(locked.error());
  // In pieces: zeros are there already, and memory that is not written takes none.
  constexpr size_t kPiece = 64 << 10;
  std::vector<uint8_t> piece(kPiece);
  for (uint64_t at = 0; at < bytes.size();) {
    const ssize_t count =
        pread(fd, piece.data(), std::min<uint64_t>(kPiece, bytes.size() - at), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(std::string("cannot be read: ") + std::strerror(errno));
    if (count == 0) break;
    const auto end = piece.begin() + count;
    const bool zeros =
        piece[0] == 0 && std::memcmp(piece.data(), piece.data() + 1, static_cast<size_t>(count) - 1) == 0;
    if (!zeros) std::copy(piece.begin(), end, bytes.begin() + static_cast<ptrdiff_t>(at));
    at += static_cast<uint64_t>(count);
  }
  return file;
}

FlashFile::~FlashFile() { close(fd_); }

bool FlashFile::write(std::span<const uint8_t> bytes, uint64_t offset) const {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return true;
}

// ---- the device ---------------------------------------------------------------------------------

Pflash::Pflash(FlashBanks& banks, unsigned index, MemoryChanges& changes, std::span<uint8_t> contents,
               std::unique_ptr<FlashFile> file, bool read_only)
    : banks_(banks),
      index_(index),
      changes_(changes),
      contents_(contents),
      file_(std::move(file)),
      read_only_(read_only) {}

void Pflash::set_mode(Mode mode) {
  if (mode == state_.mode) return;
  const auto bit = static_cast<uint8_t>(1u << index_);
  if (mode == Mode::Array) {
    banks_.readable.fetch_or(bit);
  } else if (state_.mode == Mode::Array) {
    banks_.readable.fetch_and(static_cast<uint8_t>(~bit));
    changes_.any = changes_.flash_hidden = true;
  }
  state_.mode = mode;
}

bool Pflash::may_be(const State& state) {
  return state.mode <= Mode::Query && state.cycle <= Cycle::BufferConfirm && state.written <= state.end &&
         state.end <= kRegionBytes;
}

bool Pflash::restore_contents(std::span<const uint8_t> saved, const State& state) {
  constexpr uint64_t kPage = 4096;
  const bool in_program = state.cycle == Cycle::BufferData || state.cycle == Cycle::BufferConfirm;
  const uint64_t begin = in_program ? state.written : 0, end = in_program ? state.end : 0;
  const auto equal = [&](uint64_t from, uint64_t to) {
    return std::equal(saved.begin() + static_cast<ptrdiff_t>(from), saved.begin() + static_cast<ptrdiff_t>(to),
                      contents_.begin() + static_cast<ptrdiff_t>(from));
  };
  if (file_) {
    if (!equal(0, begin) || !equal(end, kRegionBytes)) return false;
    std::copy(saved.begin() + static_cast<ptrdiff_t>(begin), saved.begin() + static_cast<ptrdiff_t>(end),
              contents_.begin() + static_cast<ptrdiff_t>(begin));
    return true;
  }
  // Memory that is not written takes none.
  for (uint64_t at = 0; at < kRegionBytes; at += kPage) {
    const auto page = saved.subspan(at, kPage);
    if (std::ranges::any_of(page, [](uint8_t byte) { return byte != 0; }))
      std::ranges::copy(page, contents_.begin() + static_cast<ptrdiff_t>(at));
  }
  return true;
}

void Pflash::restore(const State& state) {
  set_mode(state.mode);
  state_ = state;
}

// Word addresses repeat every 256 words.
uint32_t Pflash::identifier(uint64_t offset) const {
  const uint64_t word = offset / kBusBytes % 256;
  return of_both_chips(word == 0 ? kManufacturer : word == 1 ? kDevice : 0);
}

uint32_t Pflash::read(unsigned, uint64_t offset, unsigned bytes) {
  switch (state_.mode) {
    case Mode::Array: {
      uint32_t value = 0;
      std::memcpy(&value, contents_.data() + offset, bytes);
      return value;
    }
    case Mode::Status: return lanes(of_both_chips(state_.status), offset);
    case Mode::Identifier: return lanes(identifier(offset), offset);
    case Mode::Query: {
      const uint64_t word = offset / kBusBytes - kFirstQuery;
      return lanes(word < sizeof kQueryTable ? of_both_chips(kQueryTable[word]) : 0, offset);
    }
  }
  return 0;
}

void Pflash::command(uint8_t command) {
  const auto begin = [this](Cycle cycle) {
    state_.cycle = cycle;
    set_mode(Mode::Status);
  };
  switch (command) {
    case kProgram:
    case kProgramAlternate: begin(Cycle::ProgramData); break;
    case kErase: begin(Cycle::EraseConfirm); break;
    case kLock: begin(Cycle::LockConfirm); break;
    case kProgramBuffer: begin(Cycle::BufferCount); break;
    case kReadStatus: set_mode(Mode::Status); break;
    case kReadIdentifier: set_mode(Mode::Identifier); break;
    case kQuery: set_mode(Mode::Query); break;
    case kClearStatus: state_.status = kReady; break;
    // 0xff, and what probes for other kinds of flash send.
    default: set_mode(Mode::Array); break;
  }
}

void Pflash::write(unsigned, uint64_t offset, unsigned bytes, uint32_t value) {
  const Cycle cycle = state_.cycle;
  state_.cycle = Cycle::Command;
  switch (cycle) {
    case Cycle::Command: command(static_cast<uint8_t>(value)); break;
    case Cycle::ProgramData:
      program(offset, bytes, value);
      keep(offset, bytes, kProgramError);
      break;
    case Cycle::EraseConfirm:
      if (static_cast<uint8_t>(value) == kConfirm)
        erase(offset);
      else
        state_.status |= kSequenceError;
      break;
    case Cycle::LockConfirm:
      // No sector is ever locked.
      if (static_cast<uint8_t>(value) != kConfirm && static_cast<uint8_t>(value) != kLockBlock)
        state_.status |= kSequenceError;
      break;
    case Cycle::BufferCount:
      // The number of words of a chip, less one.
      state_.left = (value & 0xffff) + 1;
      state_.written = state_.end = static_cast<uint32_t>(offset);
      if (state_.left > kBufferBytes / kBusBytes)
        state_.status |= kSequenceError;
      else
        state_.cycle = Cycle::BufferData;
      break;
    case Cycle::BufferData:
      if (state_.written == state_.end) state_.written = state_.end = static_cast<uint32_t>(offset);
      if (offset / kBufferBytes != state_.written / kBufferBytes) {
        keep(state_.written, state_.end - state_.written, kSequenceError);
        state_.status |= kSequenceError;
        break;
      }
      program(offset, bytes, value);
      state_.written = std::min(state_.written, static_cast<uint32_t>(offset));
      state_.end = std::max(state_.end, static_cast<uint32_t>(offset) + bytes);
      state_.cycle = --state_.left != 0 ? Cycle::BufferData : Cycle::BufferConfirm;
      break;
    case Cycle::BufferConfirm:
      keep(state_.written, state_.end - state_.written, kProgramError);
      if (static_cast<uint8_t>(value) != kConfirm) state_.status |= kSequenceError;
      break;
  }
}

void Pflash::program(uint64_t offset, unsigned bytes, uint32_t value) {
  if (read_only_) return;
  for (unsigned i = 0; i < bytes; ++i) contents_[offset + i] &= static_cast<uint8_t>(value >> i * 8);
}

void Pflash::erase(uint64_t offset) {
  offset -= offset % kSectorBytes;
  if (!read_only_) std::fill_n(contents_.begin() + static_cast<ptrdiff_t>(offset), kSectorBytes, 0xff);
  keep(offset, kSectorBytes, kEraseError);
}

// What was changed is in the file too; or the guest is told that it could not be changed.
void Pflash::keep(uint64_t offset, uint64_t bytes, uint8_t error) {
  if (read_only_ || (file_ && !file_->write(contents_.subspan(offset, bytes), offset))) state_.status |= error;
}

}  // namespace crosswalk::vmm
