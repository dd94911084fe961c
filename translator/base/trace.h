// SPDX-License-Identifier: GPL-2.0-or-later
// A timeline of what happens outside translated code (--trace): a ring of fixed-size events that is
// filled without system calls, since the engine may run where each of them leaves a VM. The VMM
// turns it into JSON at exit.
//
// CpuState::trace points to the CPU's ring, or is null: that is all that a site tests when tracing
// is off. Only the CPU's own thread appends, in and out of the VM. Times are TSC ticks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace crosswalk::trace {

// What the operands of an event mean is said here; the writer's table (vmm/app/trace_writer.cc)
// names them.
enum class Kind : uint8_t {
  WindowFault,  // duration; a VA, b guest PC, c outcome (mmu::FaultOutcome), d 1 for a store
  WindowFill,   // instant; a faults that the provider of windows has served since the last one, b pages
  // duration; a VA, b ASID of the operation, c FlushKind; counts: removed, kept, rewritten
  Flush,
  Prefill,  // duration; a pages entered
  // duration: hybrid; a pages in the window, c 1 when it got one, 0 when it lost it
  FormChange,
  // duration on the track of address spaces; a number of the space, c 1 when privileged
  AddressSpace,
  // duration outside the VM; a system call number or address, c ExitReason of the kvm world
  VmExit,
  Exception,  // instant; a guest PC, b fault address, c arm::Exception, d fault status
  // duration; a guest PC | T, b PA; counts: instructions, guest bytes, host bytes
  Translation,
  CodeInvalidation,  // instant, with one CPU alone; a PA, b blocks dropped
  CacheClear,        // the same; a blocks that went, all or the oldest
  DeviceRead,        // duration; a PA, b value, c bytes, d 1 when nothing answered
  DeviceWrite,       // the same
  Wait,              // duration: WFI; a guest PC
  Count
};

enum class FlushKind : uint32_t { All, Asid, Mva, MvaAllAsids, Deferred };

struct Event {
  uint64_t start, end;  // equal for an instant
  uint64_t a, b;
  uint32_t c, d;
  uint32_t counts[3];
  Kind kind;
  uint8_t unused;
  uint16_t asid;  // of the address space that was current
};
static_assert(sizeof(Event) == 56);

inline uint64_t ticks() { return __builtin_ia32_rdtsc(); }

// The newest `capacity` events. `storage` outlives the ring.
class Ring {
 public:
  Ring(Event* storage, size_t capacity) : events_(storage), capacity_(capacity) { space_since_ = ticks(); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  Event& append(Kind kind, uint64_t start, uint64_t end) {
    Event& event = events_[next_];
    if (++next_ == capacity_) next_ = 0;
    total_++;
    event = {};
    event.start = start;
    event.end = end;
    event.kind = kind;
    event.asid = asid_;
    return event;
  }

  // The CPU goes on in another address space: the time in the last one becomes an event.
  void switch_space(uint16_t asid, bool privileged, uint64_t number) {
    const uint64_t now = ticks();
    close_space(now);
    asid_ = asid;
    privileged_ = privileged;
    space_ = number;
  }
  void close_space(uint64_t now) {
    Event& event = append(Kind::AddressSpace, space_since_, now);
    event.a = space_;
    event.c = privileged_;
    space_since_ = now;
  }

  uint64_t total() const { return total_; }
  uint64_t dropped() const { return total_ - size(); }
  size_t size() const { return total_ < capacity_ ? static_cast<size_t>(total_) : capacity_; }
  // In the order of their ends, oldest first.
  const Event& operator[](size_t i) const {
    const size_t at = total_ < capacity_ ? i : next_ + i;
    return events_[at < capacity_ ? at : at - capacity_];
  }

 private:
  Event* const events_;
  const size_t capacity_;
  size_t next_ = 0;
  uint64_t total_ = 0;
  uint64_t space_since_ = 0, space_ = 0;
  uint16_t asid_ = 0;
  bool privileged_ = true;
};

// When something begins: 0 with tracing off, so that no time is read.
inline uint64_t begin(const Ring* ring) { return __builtin_expect(ring != nullptr, 0) ? ticks() : 0; }

struct Counts {
  uint64_t first = 0, second = 0, third = 0;
};
// What began at `start` ends now.
inline void end(Ring* ring, Kind kind, uint64_t start, uint64_t a = 0, uint64_t b = 0, uint32_t c = 0, uint32_t d = 0,
                Counts counts = {}) {
  if (__builtin_expect(ring == nullptr, 1)) return;
  Event& event = ring->append(kind, start, ticks());
  event.a = a;
  event.b = b;
  event.c = c;
  event.d = d;
  event.counts[0] = static_cast<uint32_t>(counts.first);
  event.counts[1] = static_cast<uint32_t>(counts.second);
  event.counts[2] = static_cast<uint32_t>(counts.third);
}
inline void instant(Ring* ring, Kind kind, uint64_t a, uint64_t b = 0, uint32_t c = 0, uint32_t d = 0) {
  if (__builtin_expect(ring == nullptr, 1)) return;
  const uint64_t now = ticks();
  Event& event = ring->append(kind, now, now);
  event.a = a;
  event.b = b;
  event.c = c;
  event.d = d;
}

}  // namespace crosswalk::trace
