// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine/snapshot/snapshot_file.h"

#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace crosswalk::vmm {
namespace {

constexpr char kMagic[8] = {'C', 'W', 'S', 'N', 'A', 'P', '\r', '\n'};
constexpr uint64_t kPage = 4096, kEnd = ~uint64_t{0};
// So much between two looks at `stopping`, and at most of one piece.
constexpr uint64_t kPiece = 1 << 20;
constexpr size_t kBuffer = 1 << 20;
constexpr uint64_t kMaxState = 64 << 20;
constexpr int kLevel = 1;  // faster than most disks

// Precondition: it is not empty.
bool is_zero(std::span<const uint8_t> page) {
  return page[0] == 0 && std::memcmp(page.data(), page.data() + 1, page.size() - 1) == 0;
}

}  // namespace

// ---- writing

SnapshotWriter::SnapshotWriter(int fd, std::function<bool()> stopping)
    : fd_(fd), stopping_(std::move(stopping)), context_(ZSTD_createCCtx()), out_(kBuffer) {
  if (!context_) {
    problem_ = "no memory to compress with";
    return;
  }
  ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
}

SnapshotWriter::~SnapshotWriter() { ZSTD_freeCCtx(context_); }

Result<uint64_t> SnapshotWriter::write(const std::string& state, std::span<const SnapshotArea> areas) {
  write_all(kMagic, sizeof kMagic);
  write_all(&kSnapshotFormat, sizeof kSnapshotFormat);
  put_number(state.size());
  put(state.data(), state.size());
  uint64_t offset = 0;
  for (const SnapshotArea& area : areas) {
    put_area(area, offset);
    offset += area.bytes.size();
  }
  put_number(kEnd);
  put_number(kEnd);
  compress(nullptr, 0, true);
  if (problem_.empty() && fdatasync(fd_) != 0 && errno != EINVAL) problem_ = std::strerror(errno);
  if (!problem_.empty()) return Error{problem_};
  return written_;
}

void SnapshotWriter::write_all(const void* data, size_t bytes) {
  for (size_t done = 0; problem_.empty() && done < bytes;) {
    const ssize_t count = ::write(fd_, static_cast<const uint8_t*>(data) + done, bytes - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      problem_ = std::strerror(count < 0 ? errno : ENOSPC);
    else
      written_ += static_cast<uint64_t>(count), done += static_cast<size_t>(count);
  }
}

void SnapshotWriter::put(const void* data, size_t bytes) { compress(data, bytes, false); }
void SnapshotWriter::put_number(uint64_t number) { put(&number, sizeof number); }

// What the host has no memory for is not looked at: a look would make it.
void SnapshotWriter::put_area(const SnapshotArea& area, uint64_t offset) {
  if (area.fd < 0) return put_pieces(area.bytes, offset);
  const uint64_t size = area.bytes.size(), end = area.fd_offset + size;
  for (uint64_t at = area.fd_offset; at < end && problem_.empty();) {
    const off_t data = lseek(area.fd, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0) {
      if (errno == ENXIO) return;
      problem_ = std::string("guest memory: ") + std::strerror(errno);
      return;
    }
    const uint64_t begin = std::min(end, static_cast<uint64_t>(data));
    const off_t hole = lseek(area.fd, data, SEEK_HOLE);
    at = hole < 0 ? end : std::min(end, static_cast<uint64_t>(hole));
    if (begin < at) put_pieces(area.bytes.subspan(begin - area.fd_offset, at - begin), offset + begin - area.fd_offset);
  }
}

void SnapshotWriter::put_pieces(std::span<const uint8_t> bytes, uint64_t offset) {
  const auto page_at = [&](uint64_t at) { return bytes.subspan(at, std::min(kPage, bytes.size() - at)); };
  for (uint64_t at = 0; at < bytes.size() && problem_.empty();) {
    uint64_t last = at + page_at(at).size();
    if (is_zero(page_at(at))) {
      at = last;
      continue;
    }
    while (last < bytes.size() && last - at < kPiece && !is_zero(page_at(last))) last += page_at(last).size();
    put_number(offset + at);
    put_number(last - at);
    put(bytes.data() + at, last - at);
    at = last;
    if (stopping_()) problem_ = "the run ends";
  }
}

void SnapshotWriter::compress(const void* data, size_t bytes, bool end) {
  ZSTD_inBuffer in{data, bytes, 0};
  for (bool more = true; more && problem_.empty();) {
    ZSTD_outBuffer out{out_.data(), out_.size(), 0};
    const size_t left = ZSTD_compressStream2(context_, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left)) {
      problem_ = ZSTD_getErrorName(left);
      return;
    }
    write_all(out_.data(), out.pos);
    more = end ? left != 0 : in.pos < in.size;
  }
}

// ---- reading

SnapshotReader::SnapshotReader(std::string name, int fd)
    : name_(std::move(name)), fd_(fd), context_(ZSTD_createDCtx()), in_(kBuffer) {}

SnapshotReader::~SnapshotReader() {
  ZSTD_freeDCtx(context_);
  close(fd_);
}

Error SnapshotReader::error(const std::string& what) const { return Error{name_ + ": " + what}; }

Result<std::unique_ptr<SnapshotReader>> SnapshotReader::open(const std::string& option, const std::string& path) {
  const std::string name = option + " '" + path + "'";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error{name + ": " + std::strerror(errno)};
  std::unique_ptr<SnapshotReader> reader(new SnapshotReader(name, fd));
  if (auto begun = reader->begin(); !begun) return begun.take_error();
  return reader;
}

Result<bool> SnapshotReader::begin() {
  char magic[sizeof kMagic] = {};
  uint32_t format = 0;
  if (!context_) return error("no memory to read it with");
  if (read(fd_, magic, sizeof magic) != sizeof magic || std::memcmp(magic, kMagic, sizeof magic) != 0)
    return error("this is not a snapshot of Crosswalk's");
  if (read(fd_, &format, sizeof format) != sizeof format) return error("the snapshot is cut short");
  if (format != kSnapshotFormat)
    return error("a snapshot of format " + std::to_string(format) +
                 ", made by another version of Crosswalk; this one has format " + std::to_string(kSnapshotFormat));
  uint64_t bytes = 0;
  if (!get_number(bytes)) return error(problem_);
  if (bytes > kMaxState) return error("the snapshot is damaged");
  state_.resize(bytes);
  if (!get(state_.data(), bytes)) return error(problem_);
  return true;
}

bool SnapshotReader::fill() {
  ssize_t count;
  do {
    count = read(fd_, in_.data(), in_.size());
  } while (count < 0 && errno == EINTR);
  if (count <= 0) {
    problem_ = count < 0 ? std::strerror(errno) : "the snapshot is cut short";
    return false;
  }
  position_ = 0;
  filled_ = static_cast<size_t>(count);
  return true;
}

bool SnapshotReader::get(void* data, size_t bytes) {
  ZSTD_outBuffer out{data, bytes, 0};
  while (out.pos < bytes) {
    if (ended_) {
      problem_ = "the snapshot is damaged";
      return false;
    }
    ZSTD_inBuffer in{in_.data(), filled_, position_};
    const size_t before = out.pos;
    const size_t left = ZSTD_decompressStream(context_, &out, &in);
    position_ = in.pos;
    if (ZSTD_isError(left)) {
      problem_ = std::string("the snapshot is damaged (") + ZSTD_getErrorName(left) + ")";
      return false;
    }
    ended_ = left == 0;
    if (out.pos == before && position_ == filled_ && !ended_ && !fill()) return false;
  }
  return true;
}

bool SnapshotReader::get_number(uint64_t& number) { return get(&number, sizeof number); }

// The checksum is behind the last byte.
bool SnapshotReader::at_end() {
  uint8_t none;
  while (!ended_) {
    ZSTD_outBuffer out{&none, 1, 0};
    ZSTD_inBuffer in{in_.data(), filled_, position_};
    const size_t left = ZSTD_decompressStream(context_, &out, &in);
    position_ = in.pos;
    if (ZSTD_isError(left) || out.pos != 0) {
      problem_ = "the snapshot is damaged";
      return false;
    }
    ended_ = left == 0;
    if (!ended_ && position_ == filled_ && !fill()) return false;
  }
  return true;
}

Result<bool> SnapshotReader::read_areas(std::span<const SnapshotArea> areas) {
  uint64_t next = 0, first = 0;  // where the next piece may begin; where areas[0] does
  for (;;) {
    uint64_t offset = 0, bytes = 0;
    if (!get_number(offset) || !get_number(bytes)) return error(problem_);
    if (offset == kEnd && bytes == kEnd) break;
    if (offset < next) return error("the snapshot is damaged");
    while (!areas.empty() && offset - first >= areas[0].bytes.size()) {
      first += areas[0].bytes.size();
      areas = areas.subspan(1);
    }
    if (areas.empty() || bytes > areas[0].bytes.size() - (offset - first)) return error("the snapshot is damaged");
    if (!get(areas[0].bytes.data() + (offset - first), bytes)) return error(problem_);
    next = offset + bytes;
  }
  if (!at_end()) return error(problem_);
  return true;
}

}  // namespace crosswalk::vmm
