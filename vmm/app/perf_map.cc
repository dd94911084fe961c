// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/perf_map.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "translator/engine/block.h"

namespace crosswalk::vmm {
namespace {

constexpr size_t kBufferBytes = 256 << 10;  // one system call for some 5,000 blocks

}  // namespace

std::string PerfMap::default_path() { return fmt::format("/tmp/perf-{}.map", getpid()); }

Result<std::unique_ptr<PerfMap>> PerfMap::create(const std::string& path, const SymbolTable& symbols) {
  // The name is known to everybody and the folder writable for all: a link that somebody put there
  // is not followed.
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return Error{"--perf-map: cannot write " + path + ": " + std::strerror(errno)};
  return std::unique_ptr<PerfMap>(new PerfMap(fd, path, symbols));
}

PerfMap::PerfMap(int fd, const std::string& path, const SymbolTable& symbols)
    : fd_(fd), path_(path), symbols_(symbols) {
  buffer_.reserve(kBufferBytes);
}

PerfMap::~PerfMap() { close(fd_); }

void PerfMap::line(const uint8_t* begin, size_t bytes, const std::string& name) {
  fmt::format_to(std::back_inserter(buffer_), "{:x} {:x} {}\n", reinterpret_cast<uintptr_t>(begin), bytes, name);
  if (buffer_.size() > kBufferBytes - 512) write_out();
}

void PerfMap::thunks_emitted(const x64::Thunks& thunks, const uint8_t* begin, size_t bytes) {
  static_assert(sizeof(x64::Thunks) == 15 * sizeof(void*), "every thunk has a name");
  std::vector<std::pair<const uint8_t*, const char*>> pieces = {
      {reinterpret_cast<const uint8_t*>(thunks.enter), "enter"},
      {thunks.exit_link, "exit_link"},
      {thunks.exit_indirect, "exit_indirect"},
      {thunks.jump_cached, "jump_cached"},
      {thunks.exit_to, "exit_to"},
      {thunks.dispatch, "dispatch"},
      {thunks.exit_no_spill, "exit_no_spill"},
      {thunks.exit_no_spill_standard, "exit_no_spill_standard"},
      {thunks.call, "call"},
      {thunks.call_light, "call_light"},
      {thunks.call_pure, "call_pure"},
      {thunks.call_preserving, "call_preserving"},
      {thunks.slow_access, "slow_access"},
      {thunks.synchronize, "synchronize"},
      {thunks.send_event, "send_event"}};
  std::sort(pieces.begin(), pieces.end());
  for (size_t i = 0; i < pieces.size(); i++) {
    const uint8_t* const end = i + 1 < pieces.size() ? pieces[i + 1].first : begin + bytes;
    line(pieces[i].first, static_cast<size_t>(end - pieces[i].first), std::string("crosswalk_") + pieces[i].second);
  }
}

void PerfMap::block_translated(const engine::Block& block, bool privileged) {
  const uint32_t va = block.key.va & ~1u;
  std::string name = symbols_.describe(va);
  if (name.empty()) name = fmt::format("guest_0x{:08x} {}", va, privileged ? "[kernel]" : "[user]");
  line(block.code, block.code_size, name);
}

void PerfMap::write_out() {
  for (size_t done = 0; done < buffer_.size() && error_ == 0;) {
    const ssize_t written = write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (written >= 0)
      done += static_cast<size_t>(written);
    else if (errno != EINTR)
      error_ = errno;
  }
  buffer_.clear();
}

Result<bool> PerfMap::finish() {
  write_out();
  if (error_ != 0) return Error{"--perf-map: cannot write " + path_ + ": " + std::strerror(error_)};
  return true;
}

}  // namespace crosswalk::vmm
