// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/slow_access.h"

#include <cstring>

#include "translator/x64/host_registers.h"

namespace crosswalk::x64 {
namespace {

// What a general register that holds an IR value is while C++ runs: eight bytes of the frame, or
// four of CpuState.
struct Place {
  void* at;
  size_t bytes;
};

Place place_of(CpuState& cpu, SlowAccessFrame& frame, uint8_t reg) {
  switch (reg) {
    case kRax: return {&frame.rax, 8};
    case kRcx: return {&frame.rcx, 8};
    case kRdx: return {&frame.rdx, 8};
    case kRsi: return {&frame.rsi, 8};
    default: break;
  }
  size_t n = 0;
  while (kPinned[n] != reg) n++;  // values are in no other registers
  return {&cpu.r[n], 4};
}

}  // namespace

void take_operands(CpuState& cpu, SlowAccessFrame& frame) {
  const SlowAccessRequest request = SlowAccessRequest::unpack(static_cast<uint32_t>(frame.request));
  std::memcpy(&cpu.access_va, place_of(cpu, frame, request.va).at, 4);
  cpu.access_kind = request.kind;
  if (!(request.kind & kAccessStore)) return;
  if (request.simd) {
    std::memcpy(cpu.access_value, frame.xmm[request.data], 16);
    return;
  }
  const Place p = place_of(cpu, frame, request.data);
  std::memset(cpu.access_value, 0, 16);
  std::memcpy(cpu.access_value, p.at, p.bytes);
}

void give_result(CpuState& cpu, SlowAccessFrame& frame) {
  const SlowAccessRequest request = SlowAccessRequest::unpack(static_cast<uint32_t>(frame.request));
  const bool store = request.kind & kAccessStore;
  if (store && !(request.kind & kAccessExclusive)) return;
  const uint32_t log2_bytes = store ? 2 : ir::MemAccess::unpack(request.kind).log2_bytes;
  const size_t bytes = log2_bytes < 2 ? 4 : size_t{1} << log2_bytes;
  if (request.simd) {
    std::memset(frame.xmm[request.data], 0, 16);
    std::memcpy(frame.xmm[request.data], cpu.access_value, bytes);
    return;
  }
  uint64_t value = 0;
  std::memcpy(&value, cpu.access_value, bytes);
  const Place p = place_of(cpu, frame, store ? request.status : request.data);
  std::memcpy(p.at, &value, p.bytes);
}

void give_host_address(CpuState& cpu, SlowAccessFrame& frame, uint64_t host) {
  const SlowAccessRequest request = SlowAccessRequest::unpack(static_cast<uint32_t>(frame.request));
  std::memcpy(place_of(cpu, frame, request.data).at, &host, sizeof host);
}

}  // namespace crosswalk::x64
