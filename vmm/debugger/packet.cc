// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/debugger/packet.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace crosswalk::vmm {
namespace {

constexpr char kDigits[] = "0123456789abcdef";
constexpr char kInterrupt = 3, kEscapeMask = 0x20;

// Negative: it is none.
int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

uint8_t sum_of(std::string_view text) {
  uint8_t sum = 0;
  for (const char c : text) sum = static_cast<uint8_t>(sum + static_cast<uint8_t>(c));
  return sum;
}

}  // namespace

std::optional<PacketReader::Event> PacketReader::next(std::string_view& bytes) {
  while (!bytes.empty()) {
    const char c = bytes.front();
    bytes.remove_prefix(1);
    switch (state_) {
      case State::Between:
        if (c == kInterrupt) return Event{Event::Interrupt, {}};
        if (c == '-') return Event{Event::Repeat, {}};
        if (c != '$') break;  // acknowledgements, and what a broken line may have
        state_ = State::Payload;
        payload_.clear();
        too_long_ = false;
        sum_ = 0;
        break;
      case State::Payload:
        if (c == '#') {
          state_ = State::FirstDigit;
        } else if (c == '$') {  // the one before was not finished
          payload_.clear();
          too_long_ = false;
          sum_ = 0;
        } else {
          sum_ = static_cast<uint8_t>(sum_ + static_cast<uint8_t>(c));
          if (payload_.size() < kMaxPacketBytes)
            payload_.push_back(c);
          else
            too_long_ = true;
        }
        break;
      case State::FirstDigit:
        checksum_ = digit(c) < 0 ? -1 : digit(c) << 4;
        state_ = State::SecondDigit;
        break;
      case State::SecondDigit:
        state_ = State::Between;
        if (too_long_ || checksum_ < 0 || digit(c) < 0 || (checksum_ | digit(c)) != sum_)
          return Event{Event::Damaged, {}};
        return Event{Event::Packet, std::exchange(payload_, {})};
    }
  }
  return std::nullopt;
}

std::string make_packet(std::string_view payload) {
  const uint8_t sum = sum_of(payload);
  return "$" + std::string(payload) + "#" + kDigits[sum >> 4] + kDigits[sum & 15];
}

std::string unescape(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '}' && i + 1 < text.size())
      bytes.push_back(static_cast<char>(text[++i] ^ kEscapeMask));
    else
      bytes.push_back(text[i]);
  }
  return bytes;
}

std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool special = c == '$' || c == '#' || c == '}' || c == '*';
    if (special) escaped.push_back('}');
    escaped.push_back(special ? static_cast<char>(c ^ kEscapeMask) : c);
  }
  return escaped;
}

std::string to_hex(std::span<const uint8_t> bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0 || std::ranges::any_of(text, [](char c) { return digit(c) < 0; })) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 2)
    bytes.push_back(static_cast<char>(digit(text[i]) << 4 | digit(text[i + 1])));
  return bytes;
}

bool PacketFields::take(std::string_view prefix) {
  if (!rest_.starts_with(prefix)) return false;
  rest_.remove_prefix(prefix.size());
  return true;
}

std::optional<uint64_t> PacketFields::number() {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, 16);
  if (error != std::errc()) return std::nullopt;
  rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
  return value;
}

std::string_view PacketFields::until(char separator) {
  const size_t at = rest_.find(separator);
  const std::string_view field = rest_.substr(0, at);
  rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at + 1);
  return field;
}

}  // namespace crosswalk::vmm
