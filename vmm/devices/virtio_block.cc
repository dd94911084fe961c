// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/virtio_block.h"

#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "vmm/base/statistics.h"
#include "vmm/devices/disk_format.h"
#include "vmm/devices/disk_lock.h"

namespace crosswalk::vmm {
namespace {

static_assert(sizeof(virtio_blk_config) >= 60);

constexpr uint32_t kMaxDiscardSectors = 1u << 22;  // 2 GiB a request
constexpr uint32_t kMaxDiscardSegments = 16;
constexpr uint32_t kMaxSegments = VirtQueue::kMaxSize - 2;
constexpr uint32_t kMaxSegmentBytes = 4 << 20;
static_assert(uint64_t{kMaxSegments} * kMaxSegmentBytes <= VirtioBlock::kMaxRequestBytes);
// What one turn transfers, and what it has the file system discard or zero.
constexpr uint64_t kTurnBytes = 1 << 20, kTurnDiscardBytes = 256 << 20;

struct DiscardSegment {
  uint64_t sector;
  uint32_t sectors, flags;
};

// Calls move(host, bytes, offset) for each piece of the next turn at a transfer of `total` bytes,
// which begin `skip` bytes into `segments`; `position` of them are done, and counted as move
// succeeds. False: move failed, with as much done as `position` says.
template <class Move>
bool take_turn(const std::vector<Segment>& segments, uint64_t skip, uint64_t total, uint64_t& position, Move move) {
  skip += position;
  uint64_t left = std::min(kTurnBytes, total - position);
  for (const Segment& segment : segments) {
    if (left == 0) break;
    if (skip >= segment.bytes) {
      skip -= segment.bytes;
      continue;
    }
    const uint64_t bytes = std::min<uint64_t>(segment.bytes - skip, left);
    if (!move(segment.host + skip, bytes, position)) return false;
    position += bytes;
    left -= bytes;
    skip = 0;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<VirtioBlock>> VirtioBlock::open(const std::string& path, bool read_only, bool any_format) {
  // O_NONBLOCK: a FIFO is refused below, and not waited for.
  const int fd = ::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const char* hint = errno == EACCES || errno == EROFS || errno == EPERM ? " (try --disk FILE,readonly)" : "";
    return Error{"--disk: cannot open " + path + ": " + std::strerror(errno) + hint};
  }
  struct stat status;
  if (fstat(fd, &status) != 0 || !(S_ISREG(status.st_mode) || S_ISBLK(status.st_mode))) {
    close(fd);
    return Error{"--disk: " + path + " is neither a regular file nor a block device; give a disk image"};
  }
  const off_t bytes = lseek(fd, 0, SEEK_END);
  if (bytes <= 0) {
    close(fd);
    return Error{"--disk: " + path + " is empty; make it as large as the disk shall be (truncate -s 1G FILE)"};
  }
  std::unique_ptr<VirtioBlock> block(new VirtioBlock(fd, read_only, static_cast<uint64_t>(bytes), path));
  if (auto locked = lock_disk(fd, read_only); !locked) return Error{"--disk: " + path + ": " + locked.error()};
  if (any_format) return block;
  if (const auto foreign = find_foreign_format(fd, block->file_bytes_, path)) {
    return Error{"--disk: " + path + " is " + foreign->name + ", not a raw disk image; make one of it (" +
                 foreign->command + "), or give FILE,format=raw if the guest shall see it as it is"};
  }
  return block;
}

VirtioBlock::VirtioBlock(int fd, bool read_only, uint64_t bytes, std::string path)
    : fd_(fd),
      read_only_(read_only),
      file_bytes_(bytes),
      sectors_((bytes + kSector - 1) / kSector),
      path_(std::move(path)) {
  virtio_blk_config config{};
  config.capacity = sectors_;
  config.seg_max = kMaxSegments;
  config.size_max = kMaxSegmentBytes;
  config.blk_size = kSector;
  config.max_discard_sectors = config.max_write_zeroes_sectors = kMaxDiscardSectors;
  config.max_discard_seg = config.max_write_zeroes_seg = kMaxDiscardSegments;
  config.discard_sector_alignment = 4096 / kSector;
  config.write_zeroes_may_unmap = 1;
  std::memcpy(config_, &config, sizeof config_);
}

VirtioBlock::~VirtioBlock() { close(fd_); }

uint64_t VirtioBlock::features() const {
  uint64_t bits = uint64_t{1} << VIRTIO_BLK_F_SIZE_MAX | uint64_t{1} << VIRTIO_BLK_F_SEG_MAX |
                  uint64_t{1} << VIRTIO_BLK_F_BLK_SIZE | uint64_t{1} << VIRTIO_BLK_F_FLUSH;
  if (read_only_) return bits | uint64_t{1} << VIRTIO_BLK_F_RO;
  return bits | uint64_t{1} << VIRTIO_BLK_F_DISCARD | uint64_t{1} << VIRTIO_BLK_F_WRITE_ZEROES;
}

uint8_t VirtioBlock::config_byte(uint32_t offset) const { return offset < sizeof config_ ? config_[offset] : 0; }

bool VirtioBlock::in_range(uint64_t sector, uint64_t bytes) const {
  return bytes % kSector == 0 && sector <= sectors_ && bytes / kSector <= sectors_ - sector;
}

bool VirtioBlock::backed(uint64_t sector, uint64_t bytes) const {
  struct stat status;
  if (fstat(fd_, &status) != 0) return false;
  if (!S_ISREG(status.st_mode)) return true;  // a device knows its end
  const auto now = static_cast<uint64_t>(status.st_size);
  return now >= file_bytes_ || sector * kSector + bytes <= now;
}

uint8_t VirtioBlock::finish_write() {
  return !write_through_ || fdatasync(fd_) == 0 ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

void VirtioBlock::set_features(uint64_t negotiated) {
  write_through_ = !(negotiated & uint64_t{1} << VIRTIO_BLK_F_FLUSH);
}

void VirtioBlock::restore(const State& state) {
  write_through_ = state.write_through;
  header_ = state.header;
}

VirtioBlock::Identity VirtioBlock::identity() const {
  struct stat status;
  const bool is_file = fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
  const uint64_t changed = is_file ? static_cast<uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                                         static_cast<uint64_t>(status.st_mtim.tv_nsec)
                                   : 0;
  return {path_, sectors_, changed};
}

std::optional<uint8_t> VirtioBlock::read(Chain& chain, uint64_t sector) {
  // The last writable byte is the status.
  const uint64_t wanted = chain.writable_bytes() - 1;
  if (wanted > kMaxRequestBytes || !in_range(sector, wanted)) return VIRTIO_BLK_S_IOERR;
  const uint64_t before = chain.position;
  const bool read =
      take_turn(chain.writable, 0, wanted, chain.position, [&](uint8_t* host, uint64_t bytes, uint64_t offset) {
        const uint64_t start = sector * kSector + offset;
        for (uint64_t done = 0; done < bytes;) {
          const ssize_t count = pread(fd_, host + done, bytes - done, static_cast<off_t>(start + done));
          if (count < 0 && errno == EINTR) continue;
          if (count < 0) return false;
          if (count == 0) {
            // Behind the end: the rest of the last sector is zeros, more than that is a file that
            // shrank.
            if (start + done < file_bytes_) return false;
            std::memset(host + done, 0, bytes - done);
            return true;
          }
          done += static_cast<uint64_t>(count);
        }
        return true;
      });
  counters_.bytes_read += chain.position - before;
  if (!read) return VIRTIO_BLK_S_IOERR;
  if (chain.position < wanted) return std::nullopt;
  return VIRTIO_BLK_S_OK;
}

std::optional<uint8_t> VirtioBlock::write(Chain& chain, uint64_t sector) {
  if (read_only_) return VIRTIO_BLK_S_IOERR;
  const uint64_t wanted = chain.readable_bytes() - sizeof(RequestHeader);
  if (wanted > kMaxRequestBytes || !in_range(sector, wanted) || !backed(sector, wanted)) return VIRTIO_BLK_S_IOERR;
  const uint64_t before = chain.position;
  const bool written = take_turn(chain.readable, sizeof(RequestHeader), wanted, chain.position,
                                 [&](const uint8_t* host, uint64_t bytes, uint64_t offset) {
                                   const uint64_t start = sector * kSector + offset;
                                   for (uint64_t done = 0; done < bytes;) {
                                     const ssize_t count =
                                         pwrite(fd_, host + done, bytes - done, static_cast<off_t>(start + done));
                                     if (count < 0 && errno == EINTR) continue;
                                     if (count <= 0) return false;
                                     done += static_cast<uint64_t>(count);
                                   }
                                   return true;
                                 });
  counters_.bytes_written += chain.position - before;
  if (!written) return VIRTIO_BLK_S_IOERR;
  if (chain.position < wanted) return std::nullopt;
  return finish_write();
}

std::optional<uint8_t> VirtioBlock::discard(Chain& chain, bool write_zeroes) {
  if (read_only_) return VIRTIO_BLK_S_IOERR;
  const uint64_t bytes = chain.readable_bytes() - sizeof(RequestHeader);
  if (bytes == 0 || bytes % sizeof(DiscardSegment) != 0 || bytes / sizeof(DiscardSegment) > kMaxDiscardSegments) {
    return VIRTIO_BLK_S_UNSUPP;
  }
  uint64_t skip = chain.position;
  for (uint64_t offset = sizeof(RequestHeader); offset < chain.readable_bytes(); offset += sizeof(DiscardSegment)) {
    DiscardSegment segment;
    chain.copy_from(offset, &segment, sizeof segment);
    if (segment.flags & ~(write_zeroes ? 1u : 0u)) return VIRTIO_BLK_S_UNSUPP;
    if (segment.sectors > kMaxDiscardSectors || !in_range(segment.sector, segment.sectors * kSector))
      return VIRTIO_BLK_S_IOERR;
    if (skip >= segment.sectors * kSector) {
      skip -= segment.sectors * kSector;
      continue;
    }
    if (write_zeroes && !backed(segment.sector, segment.sectors * kSector)) return VIRTIO_BLK_S_IOERR;
    const int mode = write_zeroes && !(segment.flags & 1) ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE;
    const auto start = static_cast<off_t>(segment.sector * kSector + skip);
    const uint64_t left = segment.sectors * kSector - skip;
    uint64_t length = std::min(left, kTurnDiscardBytes);
    // A discard is only advice. The segments are read again in each turn, and checked: the guest
    // may change them.
    if (fallocate(fd_, mode | FALLOC_FL_KEEP_SIZE, start, static_cast<off_t>(length)) != 0 && write_zeroes) {
      length = std::min(left, kTurnBytes);
      const uint8_t zeros[16 * kSector] = {};
      for (uint64_t done = 0; done < length;) {
        const ssize_t count = pwrite(fd_, zeros, static_cast<size_t>(std::min<uint64_t>(length - done, sizeof zeros)),
                                     start + static_cast<off_t>(done));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return VIRTIO_BLK_S_IOERR;
        done += static_cast<uint64_t>(count);
      }
    }
    chain.position += length;
    skip = 0;
    const bool last = offset + sizeof(DiscardSegment) >= chain.readable_bytes();
    if (length < left || !last) return std::nullopt;
  }
  return finish_write();
}

std::optional<uint8_t> VirtioBlock::dispatch(Chain& chain) {
  const bool first_turn = chain.position == 0;
  // Read once: the guest may change it between two turns.
  if (first_turn && chain.copy_from(0, &header_, sizeof header_) != sizeof header_) return VIRTIO_BLK_S_IOERR;
  switch (header_.type) {
    case VIRTIO_BLK_T_IN: counters_.reads += first_turn; return read(chain, header_.sector);
    case VIRTIO_BLK_T_OUT: counters_.writes += first_turn; return write(chain, header_.sector);
    case VIRTIO_BLK_T_FLUSH:
      ++counters_.flushes;
      return read_only_ || fdatasync(fd_) == 0 ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
    case VIRTIO_BLK_T_GET_ID: {
      char id[VIRTIO_BLK_ID_BYTES] = {};
      const std::string name = "crosswalk-disk";
      std::memcpy(id, name.data(), name.size());
      const uint64_t room = chain.writable_bytes() - 1;
      chain.position = chain.copy_to(0, id, static_cast<uint32_t>(std::min<uint64_t>(sizeof id, room)));
      return VIRTIO_BLK_S_OK;
    }
    case VIRTIO_BLK_T_DISCARD: return discard(chain, false);
    case VIRTIO_BLK_T_WRITE_ZEROES: return discard(chain, true);
    default: return VIRTIO_BLK_S_UNSUPP;
  }
}

Progress VirtioBlock::process(unsigned, Chain& chain) {
  // Without room for the status byte there is nothing to say.
  const uint64_t room = chain.writable_bytes();
  if (room == 0) return {};
  const std::optional<uint8_t> status = dispatch(chain);
  if (!status) return Progress::more();
  if (*status != VIRTIO_BLK_S_OK) ++counters_.errors;
  chain.copy_to(room - 1, &*status, 1);
  // The status is the last byte of the buffers, so all of them count as written. A turn that failed
  // may have changed more than is counted.
  const uint64_t changed = chain.position + (*status == VIRTIO_BLK_S_OK ? 0 : kTurnBytes);
  return {.written = static_cast<uint32_t>(std::min<uint64_t>(room, 0xffffffff)),
          .changed = std::min(changed, room - 1),
          .last_byte = true};
}

void VirtioBlock::add_statistics(StatisticsTable& table) const {
  table.add("disk " + path_, kBlockCounters, counters_);
}

}  // namespace crosswalk::vmm
