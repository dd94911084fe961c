// SPDX-License-Identifier: GPL-2.0-or-later
// A bank of NOR flash with the Common Flash Interface (JEDEC JESD68.01) and Intel's basic and
// extended command sets (JEP137, 0x0001), as QEMU's virt machine has it: two 16-bit chips side by
// side on 32 data lines, sectors of 256 KiB in all, a write buffer of 4 KiB. Commands of one chip
// are those of both.
//
// While the bank is in read array mode, CPUs read and execute it without this device (FlashBanks).
// Every operation is complete when the store that starts it is: the status is always ready.
// Programming clears bits, and only erasing sets them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "translator/base/guest_ram.h"
#include "translator/base/result.h"
#include "vmm/devices/device.h"

namespace crosswalk::vmm {

// The file whose content a bank has. What the guest programs and erases is written to it at once.
class FlashFile {
 public:
  // A regular file of at most `bytes.size()` bytes, which is read to `bytes`; what is behind its
  // end is zero, and the file grows when that is written. Locked as disks are (disk_lock.h).
  // `option` names it in errors.
  static Result<std::unique_ptr<FlashFile>> open(const std::string& option, const std::string& path, bool read_only,
                                                 std::span<uint8_t> bytes);
  ~FlashFile();
  FlashFile(const FlashFile&) = delete;
  FlashFile& operator=(const FlashFile&) = delete;

  bool read_only() const { return read_only_; }
  // False: the host could not.
  bool write(std::span<const uint8_t> bytes, uint64_t offset) const;

 private:
  FlashFile(int fd, bool read_only) : fd_(fd), read_only_(read_only) {}
  const int fd_;
  const bool read_only_;
};

class Pflash final : public MmioDevice {
 public:
  static constexpr uint64_t kRegionBytes = FlashBanks::kBankBytes;
  static constexpr uint32_t kSectorBytes = 256 << 10;
  static constexpr uint32_t kBufferBytes = 4096;  // written by one buffer program at most

  // What reads get.
  enum class Mode : uint8_t { Array, Status, Identifier, Query };
  // What the next store is.
  enum class Cycle : uint8_t {
    Command,
    ProgramData,
    EraseConfirm,
    LockConfirm,
    BufferCount,
    BufferData,
    BufferConfirm
  };
  // Plain data; the content is contents().
  struct State {
    Mode mode = Mode::Array;
    Cycle cycle = Cycle::Command;
    uint8_t status = 0x80;
    uint32_t left = 0;              // stores of data that the buffer program still takes
    uint32_t written = 0, end = 0;  // [written, end): what it has changed so far; offsets
  };

  // Bank `index` of `banks`, which tells `changes` when it has left read array mode; with its bytes
  // at `contents`. `file`: null: what is written is gone at the end of the run. `read_only`:
  // programs and erasures fail.
  Pflash(FlashBanks& banks, unsigned index, MemoryChanges& changes, std::span<uint8_t> contents,
         std::unique_ptr<FlashFile> file, bool read_only);

  uint32_t read(unsigned cpu, uint64_t offset, unsigned bytes) override;
  void write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) override;

  State save() const { return state_; }
  // Whether restore() may get it.
  static bool may_be(const State& state);
  // The content is put in place by the caller (restore_contents), before any CPU has run.
  void restore(const State& state);
  std::span<uint8_t> contents() const { return contents_; }
  bool has_file() const { return file_ != nullptr; }
  bool read_only() const { return read_only_; }
  // Of a bank that is in `state` then. With a file, it must have these bytes already, but for those
  // of a buffer program that has not been confirmed; without one, all must be zero. False: the file
  // has others.
  bool restore_contents(std::span<const uint8_t> saved, const State& state);

 private:
  void command(uint8_t command);
  void set_mode(Mode mode);
  uint32_t identifier(uint64_t offset) const;
  void program(uint64_t offset, unsigned bytes, uint32_t value);
  void erase(uint64_t offset);
  void keep(uint64_t offset, uint64_t bytes, uint8_t error);

  FlashBanks& banks_;
  const unsigned index_;
  MemoryChanges& changes_;
  const std::span<uint8_t> contents_;
  const std::unique_ptr<FlashFile> file_;
  const bool read_only_;
  State state_;
};

}  // namespace crosswalk::vmm
