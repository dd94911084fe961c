// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/console_input.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace crosswalk::vmm {

EscapeFilter::Action EscapeFilter::feed(uint8_t byte, std::string& out) {
  if (!escaped_) {
    escaped_ = byte == key_;
    if (!escaped_) out.push_back(static_cast<char>(byte));
    return Action::None;
  }
  escaped_ = false;
  if (byte == key_) {
    out.push_back(static_cast<char>(byte));
    return Action::None;
  }
  switch (byte) {
    case 'x':
    case 'X': return Action::Quit;
    case 'h':
    case 'H':
    case '?': return Action::Help;
    case 'i':
    case 'I': return Action::State;
    case 's':
    case 'S': return Action::Snapshot;
    case 'b':
    case 'B': return Action::Break;
    case 'p':
    case 'P': return Action::PowerButton;
    default: return Action::None;
  }
}

EscapeFilter::Asked ConsoleInput::read() {
  uint8_t taken[1024];
  const ssize_t count = ::read(fd_, taken, sizeof taken);
  EscapeFilter::Asked asked;
  {
    const std::lock_guard lock(lock_);
    for (ssize_t i = 0; i < count; ++i) {
      ++bytes_;
      if (!escapes_) {
        buffer_.push_back(static_cast<char>(taken[i]));
        continue;
      }
      switch (filter_.feed(taken[i], buffer_)) {
        case EscapeFilter::Action::Quit: asked.quit = true; break;
        case EscapeFilter::Action::Help: asked.help = true; break;
        case EscapeFilter::Action::State: asked.state = true; break;
        case EscapeFilter::Action::Snapshot: asked.snapshot = true; break;
        case EscapeFilter::Action::Break: asked.line_break = true; break;
        case EscapeFilter::Action::PowerButton: asked.power = true; break;
        case EscapeFilter::Action::None: break;
      }
    }
    if (escapes_ && buffer_.size() > kMaxBytes) buffer_.resize(kMaxBytes);
    buffered_.store(buffer_.size());
  }
  // After the buffer, for those who ask whether there will be more. The end of input is not quit.
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) fd_ = -1;
  return asked;
}

void ConsoleInput::deliver(InputSink& sink) {
  const std::lock_guard lock(lock_);
  const size_t bytes = std::min(buffer_.size(), sink.input_room());
  if (bytes == 0) return;
  sink.input(reinterpret_cast<const uint8_t*>(buffer_.data()), bytes);
  buffer_.erase(0, bytes);
  buffered_.store(buffer_.size());
  if (buffer_.empty() && !escapes_ && notifier_) notifier_->notify(true);
}

}  // namespace crosswalk::vmm
