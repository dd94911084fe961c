// SPDX-License-Identifier: GPL-2.0-or-later
// The file that a snapshot is. Numbers are little-endian:
//
//   8 bytes   "CWSNAP\r\n"
//   4 bytes   kFormat
//   the rest  one frame of zstd with a checksum, which holds
//     8 bytes and a JSON text   the number of its bytes; the state of all but memory
//     pieces of memory          two times 8 bytes, offset and number of bytes, and the bytes;
//                               ascending, without overlap. Offsets are from the start of RAM on
//                               through all areas of memory, one behind the other. What is in no
//                               piece is zero.
//     16 bytes                  all ones: the end
//
// `tail -c +13 FILE | zstd -d | head -c 4000` shows the state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "translator/base/guest_ram.h"
#include "translator/base/result.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace crosswalk::vmm {

// Goes up when the meaning of a file changes; others are refused.
inline constexpr uint32_t kSnapshotFormat = 3;

// Memory of the machine: RAM, and others that the state tells of.
struct SnapshotArea {
  std::span<uint8_t> bytes;
  int fd = -1;  // the file that they are of, which may have holes; -1: none
  uint64_t fd_offset = 0;
};
inline SnapshotArea area_of(const GuestRam& ram) { return {{ram.host, ram.size}, ram.fd}; }

class SnapshotWriter {
 public:
  // Writes to `fd` from where it stands. `stopping` is asked now and then: true gives up.
  SnapshotWriter(int fd, std::function<bool()> stopping);
  ~SnapshotWriter();

  // The whole file, and makes it stable (fdatasync). Fails when the host takes no more, and when it
  // has been given up.
  Result<uint64_t> write(const std::string& state, std::span<const SnapshotArea> areas);

 private:
  void put(const void* data, size_t bytes);
  void put_number(uint64_t number);
  // `offset`: of the area.
  void put_area(const SnapshotArea& area, uint64_t offset);
  void put_pieces(std::span<const uint8_t> bytes, uint64_t offset);
  void compress(const void* data, size_t bytes, bool end);
  void write_all(const void* data, size_t bytes);

  int fd_;
  std::function<bool()> stopping_;
  ZSTD_CCtx_s* context_;
  std::vector<uint8_t> out_;
  uint64_t written_ = 0;
  std::string problem_;  // the first
};

// Reads it in two steps: who restores makes a machine in between.
class SnapshotReader {
 public:
  // `option` and `path` are named in errors.
  static Result<std::unique_ptr<SnapshotReader>> open(const std::string& option, const std::string& path);
  ~SnapshotReader();

  const std::string& state() const { return state_; }
  // Once. Into memory that is all zero. Fails too when the file's checksum is wrong.
  Result<bool> read_areas(std::span<const SnapshotArea> areas);

 private:
  SnapshotReader(std::string name, int fd);
  Result<bool> begin();
  // False: problem_ says why.
  bool get(void* data, size_t bytes);
  bool get_number(uint64_t& number);
  bool fill();
  bool at_end();
  Error error(const std::string& what) const;

  std::string name_, state_, problem_;
  int fd_;
  ZSTD_DCtx_s* context_;
  std::vector<uint8_t> in_;
  size_t position_ = 0, filled_ = 0;  // of in_
  bool ended_ = false;                // the frame
};

}  // namespace crosswalk::vmm
