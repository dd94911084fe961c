// SPDX-License-Identifier: GPL-2.0-or-later
// --trace: the memory of the timeline (translator/base/trace.h), and its conversion to the
// trace-event JSON that ui.perfetto.dev and chrome://tracing open.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "translator/base/result.h"
#include "translator/base/trace.h"
#include "vmm/base/output_file.h"
#include "vmm/machine/loader/symbols.h"

namespace crosswalk::vmm {

// A moment on both clocks: the TSC, which events have, and CLOCK_MONOTONIC.
struct ClockPair {
  uint64_t tsc = 0, nanoseconds = 0;
  static ClockPair now();
};

class TraceBuffer {
 public:
  // All memory is allocated and touched now.
  static Result<std::unique_ptr<TraceBuffer>> create(uint64_t events);
  ~TraceBuffer();
  TraceBuffer(const TraceBuffer&) = delete;
  TraceBuffer& operator=(const TraceBuffer&) = delete;

  trace::Ring& ring() { return *ring_; }
  const ClockPair& start() const { return start_; }

 private:
  TraceBuffer() = default;
  trace::Event* storage_ = nullptr;
  size_t bytes_ = 0;
  std::unique_ptr<trace::Ring> ring_;
  ClockPair start_;
};

struct TraceDescription {
  std::string process = "crosswalk";
  std::vector<std::pair<std::string, std::string>> facts;  // into the file's otherData
  const SymbolTable* symbols = nullptr;
};

// `rings` are of the CPUs, by index; each has two tracks, "CPU n" and "CPU n: address space".
// Writes the events of each in order of their beginnings and closes the file; times are
// microseconds since `start`, by the rate between the two clock pairs. Precondition: end.tsc >
// start.tsc.
Result<bool> write_trace(OutputFile& file, std::span<const trace::Ring* const> rings, const ClockPair& start,
                         const ClockPair& end, const TraceDescription& description);

}  // namespace crosswalk::vmm
