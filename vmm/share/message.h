// SPDX-License-Identifier: GPL-2.0-or-later
// Messages of 9P2000.L: little-endian numbers, and texts with their length before them (intro(5) of
// Plan 9; the L messages as in Linux, include/net/9p/9p.h and net/9p/protocol.c).
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace crosswalk::vmm {

// The type of a reply is that of its request and 1.
enum class MessageType : uint8_t {
  Rlerror = 7,
  Tstatfs = 8,
  Tlopen = 12,
  Tlcreate = 14,
  Tsymlink = 16,
  Tmknod = 18,
  Trename = 20,
  Treadlink = 22,
  Tgetattr = 24,
  Tsetattr = 26,
  Txattrwalk = 30,
  Txattrcreate = 32,
  Treaddir = 40,
  Tfsync = 50,
  Tlock = 52,
  Tgetlock = 54,
  Tlink = 70,
  Tmkdir = 72,
  Trenameat = 74,
  Tunlinkat = 76,
  Tversion = 100,
  Tauth = 102,
  Tattach = 104,
  Tflush = 108,
  Twalk = 110,
  Tread = 116,
  Twrite = 118,
  Tclunk = 120,
  Tremove = 122,
};

// size[4] type[1] tag[2], and what follows in Rlerror.
inline constexpr uint32_t kMessageHeaderBytes = 7, kErrorMessageBytes = kMessageHeaderBytes + 4;

// Which file: equal for equal files, for as long as the session lasts.
struct Qid {
  static constexpr uint8_t kDirectory = 0x80, kSymlink = 0x02;
  uint8_t type = 0;
  uint32_t version = 0;
  uint64_t path = 0;
};
inline constexpr size_t kQidBytes = 13;

class MessageReader {
 public:
  explicit MessageReader(std::span<const uint8_t> bytes) : left_(bytes) {}

  // Zero or empty when the message ends before.
  template <std::unsigned_integral T>
  T get() {
    T value{};
    if (const auto bytes = take(sizeof value); !bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string text() {
    const auto bytes = take(get<uint16_t>());
    return {bytes.begin(), bytes.end()};
  }
  std::span<const uint8_t> take(size_t count) {
    if (count > left_.size()) {
      complete_ = false;
      left_ = {};
      return {};
    }
    const auto bytes = left_.first(count);
    left_ = left_.subspan(count);
    return bytes;
  }
  // Whether all that was asked for was there.
  bool complete() const { return complete_; }

 private:
  std::span<const uint8_t> left_;
  bool complete_ = true;
};

class MessageWriter {
 public:
  explicit MessageWriter(std::span<uint8_t> room) : room_(room) {}

  template <std::unsigned_integral T>
  void put(T value) {
    put_bytes(&value, sizeof value);
  }
  void put(std::string_view text) {
    put(static_cast<uint16_t>(text.size()));
    put_bytes(text.data(), text.size());
  }
  void put(const Qid& qid) {
    put(qid.type);
    put(qid.version);
    put(qid.path);
  }
  // Where the next bytes go, for who writes them there and tells with advance().
  std::span<uint8_t> left() const { return room_.subspan(used_); }
  // Precondition: not beyond left().
  void advance(size_t bytes) { used_ += bytes; }
  size_t used() const { return used_; }
  // Whether all that was put found room.
  bool complete() const { return complete_; }

 private:
  void put_bytes(const void* bytes, size_t count) {
    if (!complete_ || count > room_.size() - used_) {
      complete_ = false;
      return;
    }
    if (count != 0) std::memcpy(room_.data() + used_, bytes, count);
    used_ += count;
  }

  std::span<uint8_t> room_;
  size_t used_ = 0;
  bool complete_ = true;
};

}  // namespace crosswalk::vmm
