// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/translator/x64/emitted.h"

#include <capstone/capstone.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "translator/arm32/cpu/exit_reason.h"
#include "translator/x64/slow_access.h"
#include "vmm/world/process/process_world.h"

namespace crosswalk::test {
namespace {

constexpr size_t kBufferBytes = 4 << 20;
constexpr mmu::SoftTlbSizes kTlbSizes{.least = 1024, .most = 1024};

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "test of emitted code: %s\n", what);
  std::abort();
}

}  // namespace

std::string optimise(ir::Block& block, bool share_lookups, bool flag_fusion) {
  if (const std::string wrong = ir::verify(block); !wrong.empty()) return "the generator: " + wrong;
  for (const ir::Pass& pass : ir::passes()) {
    if ((pass.shares_lookups && !share_lookups) || (pass.fuses_flags && !flag_fusion)) continue;
    pass.run(block);
    if (const std::string wrong = ir::verify(block); !wrong.empty()) return std::string(pass.name) + ": " + wrong;
  }
  return {};
}

std::string disassemble(const uint8_t* code, size_t bytes, uint64_t address) {
  csh handle;
  if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK) give_up("Capstone does not open");
  cs_option(handle, CS_OPT_SKIPDATA, CS_OPT_ON);
  cs_insn* insns = nullptr;
  const size_t n = cs_disasm(handle, code, bytes, address, 0, &insns);
  std::string text;
  for (size_t i = 0; i < n; i++) {
    char line[256];
    std::snprintf(line, sizeof line, "%4llx: %s %s", static_cast<unsigned long long>(insns[i].address),
                  insns[i].mnemonic, insns[i].op_str);
    text += line;
    while (text.back() == ' ') text.pop_back();
    text += '\n';
  }
  if (n) cs_free(insns, n);
  cs_close(&handle);
  return text;
}

Emitted::Emitted(x64::MemoryMode mode, bool flag_fusion)
    : tlb_(std::make_unique<mmu::SoftTlbOf<uint32_t>>(kTlbSizes)),
      instruction_pages_(new uint32_t[kInstructionPageEntries]()),
      jump_cache_(new JumpCacheEntry[kJumpCacheEntries]),
      world_(std::move(*vmm::make_process_world())) {
  void* p = mmap(nullptr, kBufferBytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) give_up("no memory for code");
  buffer_ = static_cast<uint8_t*>(p);
  p = mmap(nullptr, mmu::kWindowSize + 2 * mmu::kWindowGuard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
           -1, 0);
  if (p == MAP_FAILED) give_up("no address space for a window");
  reservation_ = static_cast<uint8_t*>(p);
  uint8_t* const data = reservation_ + mmu::kWindowGuard + kBase;
  memory_ = reinterpret_cast<GuestMemory*>(data);
  for (uint32_t page = 0; page < kPages; page++)
    if (page != kMissingPage && mprotect(data + page * kPageBytes, kPageBytes, PROT_READ | PROT_WRITE) != 0)
      give_up("mprotect");
  // Every third page misses, for loads or for stores.
  for (uint32_t page = 0; page < kPages; page++) {
    const uint32_t va = kBase + page * kPageBytes;
    if (page == kMissingPage || is_apart(va)) continue;
    mmu::SoftTlbEntry& e = tlb_->entries()[va / kPageBytes % tlb_->size()];
    e.addend = reinterpret_cast<uint64_t>(data) - kBase;
    if (page % 3 != 0) e.tag_load = va;
    if (page % 3 != 1) e.tag_store = va;
  }
  for (uint32_t i = 0; i < kJumpCacheEntries; i++) jump_cache_[i] = {UINT32_MAX, UINT32_MAX, nullptr};
  x64::Assembler gen(kBufferBytes, buffer_);
  thunks_ = x64::emit_thunks(gen, {&Emitted::slow_access, &Emitted::synchronize, &Emitted::send_event});
  prefix_ = (gen.getSize() + 63) & ~size_t{63};
  config_.memory = mode;
  config_.thunks = &thunks_;
  config_.pieces = &pieces_;
  config_.flag_fusion = flag_fusion;
}

Emitted::~Emitted() {
  munmap(buffer_, kBufferBytes);
  munmap(reservation_, mmu::kWindowSize + 2 * mmu::kWindowGuard);
}

const x64::CompiledBlock& Emitted::emit(const ir::Block& block, const x64::SecondPage& second) {
  x64::Assembler gen(kBufferBytes - prefix_, buffer_ + prefix_);
  compiled_ = x64::emit_block(gen, block, config_, second);
  block_ = &block;
  return compiled_;
}

void Emitted::run(CpuState& cpu, GuestMemory& memory) {
  for (uint32_t page = 0; page < kPages; page++)
    if (page != kMissingPage)
      std::memcpy(memory_->bytes + page * kPageBytes, memory.bytes + page * kPageBytes, kPageBytes);
  cpu.engine = this;
  cpu.events = &events;
  cpu.mem_base = config_.memory == x64::MemoryMode::Window
                     ? reinterpret_cast<uint64_t>(reservation_ + mmu::kWindowGuard)
                     : reinterpret_cast<uint64_t>(tlb_->entries());
  cpu.instruction_pages = instruction_pages_.get();
  cpu.jump_cache = jump_cache_.get();
  cpu_ = &cpu;
  world_->run(
      [](void* p) {
        auto* self = static_cast<Emitted*>(p);
        self->thunks_.enter(self->cpu_, self->compiled_.code);
      },
      this, &Emitted::fault, this);
  for (uint32_t page = 0; page < kPages; page++)
    if (page != kMissingPage)
      std::memcpy(memory.bytes + page * kPageBytes, memory_->bytes + page * kPageBytes, kPageBytes);
}

const x64::FaultSite* Emitted::find_site(const uint8_t* host, bool call) const {
  const auto offset = static_cast<uint32_t>(host - compiled_.code);
  for (const x64::FaultSite& s : compiled_.sites)
    if (s.offset == offset && ((s.flags & x64::kSiteCall) != 0) == call) return &s;
  return nullptr;
}

uint64_t Emitted::fill(uint32_t va) const {
  if (!GuestMemory::present(va) || is_apart(va)) return 0;
  return reinterpret_cast<uint64_t>(memory_->bytes) + (va - kBase);
}

uint64_t Emitted::slow_access(CpuState* cpu, x64::SlowAccessFrame* frame) {
  auto* self = static_cast<Emitted*>(cpu->engine);
  if (x64::SlowAccessRequest::unpack(static_cast<uint32_t>(frame->request)).fill) {
    x64::take_operands(*cpu, *frame);
    x64::give_host_address(*cpu, *frame, self->fill(cpu->access_va));
    return 0;
  }
  const x64::FaultSite* const site = self->find_site(frame->return_address, true);
  if (!site) give_up("no site for an out-of-line access");
  x64::take_operands(*cpu, *frame);
  if (access_memory(*cpu, *self->memory_, cpu->access_va, cpu->access_kind, cpu->access_value)) {
    x64::give_result(*cpu, *frame);
    return 0;
  }
  cpu->r[15] = self->block_->guest[site->guest].pc;
  cpu->t = self->block_->thumb;
  cpu->exit_reason = kExitException;
  return 1;
}

void Emitted::synchronize(CpuState* cpu) {
  static_cast<Emitted*>(cpu->engine)->synchronized_++;
  use_registers();
}
void Emitted::send_event(CpuState* cpu) {
  static_cast<Emitted*>(cpu->engine)->events_sent_++;
  use_registers();
}
void Emitted::use_registers() {
  // for alignment: an aligned access to the stack
  alignas(16) volatile char local[16] = {};
  asm volatile("movaps %%xmm0, %0" : "=m"(*const_cast<char(*)[16]>(&local)));
  asm volatile(
      "mov $-1, %%rax; mov %%rax, %%rcx; mov %%rax, %%rdx; mov %%rax, %%rsi; mov %%rax, %%rdi; mov %%rax, %%r8;"
      "mov %%rax, %%r9; mov %%rax, %%r10; mov %%rax, %%r11" ::
          : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11");
  asm volatile(
      "pcmpeqd %%xmm0, %%xmm0; movaps %%xmm0, %%xmm1; movaps %%xmm0, %%xmm2; movaps %%xmm0, %%xmm3;"
      "movaps %%xmm0, %%xmm4; movaps %%xmm0, %%xmm5; movaps %%xmm0, %%xmm6; movaps %%xmm0, %%xmm7;"
      "movaps %%xmm0, %%xmm8; movaps %%xmm0, %%xmm9; movaps %%xmm0, %%xmm10; movaps %%xmm0, %%xmm11;"
      "movaps %%xmm0, %%xmm12; movaps %%xmm0, %%xmm13; movaps %%xmm0, %%xmm14; movaps %%xmm0, %%xmm15" ::
          : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
            "xmm13", "xmm14", "xmm15");
}

bool Emitted::fault(void* p, engine::FaultFrame& frame) {
  auto* self = static_cast<Emitted*>(p);
  const x64::FaultSite* const site = self->find_site(reinterpret_cast<const uint8_t*>(frame.rip), false);
  if (!site) return false;
  const uint64_t va = frame.gpr[site->address_reg] + static_cast<int64_t>(site->displacement);
  const uint64_t offset = frame.address - frame.gpr[x64::kMemBase];
  if (offset - va >= site->bytes || frame.write != ((site->flags & x64::kSiteWrite) != 0)) return false;
  CpuState& cpu = *self->cpu_;
  for (int n = 0; n < 15; n++)
    if (x64::kPinned[n] >= 0) cpu.r[n] = static_cast<uint32_t>(frame.gpr[x64::kPinned[n]]);
  cpu.r[15] = self->block_->guest[site->guest].pc;
  cpu.t = self->block_->thumb;
  cpu.exit_reason = kExitException;
  frame.rip = reinterpret_cast<uint64_t>(self->thunks_.exit_no_spill);
  return true;
}

}  // namespace crosswalk::test
