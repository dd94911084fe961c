// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/slow_access.h"

#include <cstddef>
#include <cstring>

#include "translator/x64/host_registers.h"

namespace crosswalk::x64 {
namespace {

// What a general register that holds an IR value is while C++ runs: eight bytes of the frame, or
// four of CpuState, whose others were zero.
struct Place {
  bool in_frame = false;
  uint16_t offset = 0;
};
struct Places {
  Place of[16];
};
constexpr Places kPlaces = [] {
  Places places;
  places.of[kRax] = {true, offsetof(SlowAccessFrame, rax)};
  places.of[kRcx] = {true, offsetof(SlowAccessFrame, rcx)};
  places.of[kRdx] = {true, offsetof(SlowAccessFrame, rdx)};
  places.of[kRsi] = {true, offsetof(SlowAccessFrame, rsi)};
  for (uint16_t n = 0; n < 15; n++)
    if (kPinned[n] >= 0) places.of[kPinned[n]].offset = static_cast<uint16_t>(offsetof(CpuState, r) + n * 4);
  return places;
}();

uint64_t value_of(const CpuState& cpu, const SlowAccessFrame& frame, uint8_t reg) {
  const Place p = kPlaces.of[reg];
  uint64_t value = 0;
  if (p.in_frame)
    std::memcpy(&value, reinterpret_cast<const uint8_t*>(&frame) + p.offset, 8);
  else
    std::memcpy(&value, reinterpret_cast<const uint8_t*>(&cpu) + p.offset, 4);
  return value;
}
void set_value(CpuState& cpu, SlowAccessFrame& frame, uint8_t reg, uint64_t value) {
  const Place p = kPlaces.of[reg];
  if (p.in_frame)
    std::memcpy(reinterpret_cast<uint8_t*>(&frame) + p.offset, &value, 8);
  else
    std::memcpy(reinterpret_cast<uint8_t*>(&cpu) + p.offset, &value, 4);
}

}  // namespace

void take_operands(CpuState& cpu, SlowAccessFrame& frame) {
  const SlowAccessRequest request = SlowAccessRequest::unpack(static_cast<uint32_t>(frame.request));
  cpu.access_va = static_cast<uint32_t>(value_of(cpu, frame, request.va));
  cpu.access_kind = request.kind;
  if (!(request.kind & kAccessStore)) return;
  if (request.simd) {
    std::memcpy(cpu.access_value, frame.xmm[request.data], 16);
    return;
  }
  const uint64_t value[2] = {value_of(cpu, frame, request.data), 0};
  std::memcpy(cpu.access_value, value, sizeof value);
}

void give_result(CpuState& cpu, SlowAccessFrame& frame) {
  const SlowAccessRequest request = SlowAccessRequest::unpack(static_cast<uint32_t>(frame.request));
  const bool store = request.kind & kAccessStore;
  if (store && !(request.kind & kAccessExclusive)) return;
  const uint32_t log2_bytes = store ? 2 : ir::MemAccess::unpack(request.kind).log2_bytes;
  if (request.simd) {
    const size_t bytes = log2_bytes < 2 ? 4 : size_t{1} << log2_bytes;
    std::memset(frame.xmm[request.data], 0, 16);
    std::memcpy(frame.xmm[request.data], cpu.access_value, bytes);
    return;
  }
  uint64_t value;  // of at most 8 bytes
  std::memcpy(&value, cpu.access_value, sizeof value);
  if (log2_bytes < 3) value = static_cast<uint32_t>(value);
  set_value(cpu, frame, store ? request.status : request.data, value);
}

void give_host_address(CpuState& cpu, SlowAccessFrame& frame, uint64_t host) {
  const SlowAccessRequest request = SlowAccessRequest::unpack(static_cast<uint32_t>(frame.request));
  set_value(cpu, frame, request.data, host);
}

}  // namespace crosswalk::x64
