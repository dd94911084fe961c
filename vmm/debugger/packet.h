// SPDX-License-Identifier: GPL-2.0-or-later
// Packets of GDB's remote serial protocol ("Debugging with GDB", appendix E): from bytes and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace crosswalk::vmm {

// What a packet may hold, both ways, in bytes as they are sent.
inline constexpr size_t kMaxPacketBytes = 0x4000;

// Takes bytes as they come, and gives what they are. Whatever they are, it keeps no more than one
// packet of them.
class PacketReader {
 public:
  struct Event {
    enum Kind : uint8_t {
      Packet,     // `payload` is what is between $ and #, escapes as they were sent
      Damaged,    // a packet with a wrong checksum, or longer than kMaxPacketBytes
      Interrupt,  // Ctrl-C: 0x03 outside of a packet
      Repeat,     // '-': the last packet is asked for again
    } kind;
    std::string payload;
  };

  // Takes bytes off `bytes` up to the end of the next event. Nothing: all were taken, and more are
  // needed.
  std::optional<Event> next(std::string_view& bytes);

 private:
  enum class State : uint8_t { Between, Payload, FirstDigit, SecondDigit };

  State state_ = State::Between;
  std::string payload_;
  bool too_long_ = false;
  uint8_t sum_ = 0;   // of the payload's bytes
  int checksum_ = 0;  // as sent; negative: no number
};

// "$payload#checksum". `payload` has no $, #, } or *.
std::string make_packet(std::string_view payload);

// Undoes the escapes of binary data: } and the byte XOR 0x20.
std::string unescape(std::string_view text);
// The other way round.
std::string escape(std::string_view text);

std::string to_hex(std::span<const uint8_t> bytes);
inline std::string to_hex(std::string_view text) {
  return to_hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}
// Nothing: `text` is not pairs of hexadecimal digits.
std::optional<std::string> from_hex(std::string_view text);

// Reads fields off the front of a packet's payload.
class PacketFields {
 public:
  explicit PacketFields(std::string_view text) : rest_(text) {}

  std::string_view rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }
  // If the rest begins with it, takes it off.
  bool take(std::string_view prefix);
  // A hexadecimal number of at most 16 digits. Nothing: there is none.
  std::optional<uint64_t> number();
  // Up to the separator, which is taken off too; all of the rest where there is none.
  std::string_view until(char separator);

 private:
  std::string_view rest_;
};

}  // namespace crosswalk::vmm
