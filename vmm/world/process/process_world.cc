// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/world/process/process_world.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

#include "translator/base/panic.h"
#include "vmm/world/fault_report.h"
#include "vmm/world/process/fault_upcalls.h"

namespace crosswalk::vmm {
namespace {

using engine::FaultFrame;

constexpr uint64_t kMagic = 0x63726f7373776b31;  // "crosswk1"
constexpr size_t kPage = 4096;
constexpr size_t kAlternateStackBytes = 512 << 10;

// At the lowest address of the alternate stack's memory. The kernel stores the stack's base in
// every signal frame (uc_stack.ss_sp), which is how the handler finds this without a global or a
// thread-local. A guard page separates it from the part that is used as a stack.
struct Context {
  uint64_t magic = kMagic;
  engine::FaultHandler handler = nullptr;
  void* argument = nullptr;
  bool in_handler = false;
};

// The process-wide signal dispositions: there is one of each per process, whatever the number of
// worlds.
struct PreviousActions {
  struct sigaction segv;
  struct sigaction bus;
};
PreviousActions& previous_actions() {
  static PreviousActions actions;
  return actions;
}

// FaultFrame's order (x86 register numbers) as indices of uc_mcontext.gregs.
constexpr int kGregs[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                            REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

// The thread is in no world: do what would have happened without us.
void forward(int signal_number, siginfo_t* info, void* raw) {
  const struct sigaction& old = signal_number == SIGSEGV ? previous_actions().segv : previous_actions().bus;
  if (old.sa_flags & SA_SIGINFO) {
    old.sa_sigaction(signal_number, info, raw);
  } else if (old.sa_handler == SIG_DFL || old.sa_handler == SIG_IGN) {
    // Ignoring a synchronous fault is not possible; the access repeats and the default action ends
    // the process.
    struct sigaction fallback = {};
    fallback.sa_handler = SIG_DFL;
    sigaction(signal_number, &fallback, nullptr);
  } else {
    old.sa_handler(signal_number);
  }
}

Context* context_of(const ucontext_t& uc) {
  if (uc.uc_stack.ss_sp == nullptr || uc.uc_stack.ss_size != kAlternateStackBytes) return nullptr;
  auto* context = static_cast<Context*>(uc.uc_stack.ss_sp);
  return context->magic == kMagic && context->handler != nullptr ? context : nullptr;
}

void handle(Context& context, FaultFrame& frame, const char* unexpected) {
  if (context.in_handler) panic("fault inside the fault handler", frame);
  context.in_handler = true;
  if (!context.handler(context.argument, frame)) panic(unexpected, frame);
  context.in_handler = false;
}

void on_fault(int signal_number, siginfo_t* info, void* raw) {
  auto& uc = *static_cast<ucontext_t*>(raw);
  Context* context = context_of(uc);
  if (context == nullptr) return forward(signal_number, info, raw);
  const int saved_errno = errno;
  greg_t* gregs = uc.uc_mcontext.gregs;
  FaultFrame frame;
  for (int i = 0; i < 16; i++) frame.gpr[i] = static_cast<uint64_t>(gregs[kGregs[i]]);
  frame.rip = static_cast<uint64_t>(gregs[REG_RIP]);
  // Trap 14 is #PF: its error code bit 1 is W/R (SDM volume 3, 4.7). Other traps (13: a
  // non-canonical address) come without an address.
  const bool page_fault = gregs[REG_TRAPNO] == 14;
  frame.address_valid = page_fault;
  frame.address = page_fault ? reinterpret_cast<uint64_t>(info->si_addr) : 0;
  frame.write = page_fault && (gregs[REG_ERR] & 2) != 0;
  handle(*context, frame,
         signal_number == SIGBUS ? "unexpected bus error (SIGBUS) in the engine"
                                 : "unexpected fault (SIGSEGV) in the engine");
  for (int i = 0; i < 16; i++) gregs[kGregs[i]] = static_cast<greg_t>(frame.gpr[i]);
  gregs[REG_RIP] = static_cast<greg_t>(frame.rip);
  errno = saved_errno;
}

void install_handlers_once() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    // SA_NODEFER so that a fault inside the handler is reported instead of killing the process
    // silently.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGSEGV, &action, &previous_actions().segv) != 0 ||
        sigaction(SIGBUS, &action, &previous_actions().bus) != 0)
      panic("sigaction for SIGSEGV and SIGBUS");
  });
}

class ProcessWorld final : public engine::World {
 public:
  // `memory` is kAlternateStackBytes, mapped for this.
  explicit ProcessWorld(void* memory) : memory_(memory), context_(new (memory) Context) {}
  ~ProcessWorld() override { munmap(memory_, kAlternateStackBytes); }
  ProcessWorld(const ProcessWorld&) = delete;
  ProcessWorld& operator=(const ProcessWorld&) = delete;

  void run(void (*entry)(void*), void* argument, engine::FaultHandler handler, void* handler_context) override {
    install_handlers_once();
    stack_t mine = {};
    mine.ss_sp = memory_;
    mine.ss_size = kAlternateStackBytes;
    stack_t previous = {};
    if (sigaltstack(&mine, &previous) != 0) panic("sigaltstack");
    struct Restore {
      Context& context;
      const stack_t& stack;
      FaultUpcallStack& upcalls;
      ~Restore() {
        upcalls.detach();
        context.handler = nullptr;
        sigaltstack(&stack, nullptr);  // was valid when it was read
      }
    } restore{*context_, previous, upcall_stack_};
    context_->argument = handler_context;
    context_->handler = handler;
    if (upcalls_ != nullptr)
      upcall_stack_.attach(
          *upcalls_,
          [](void* context, FaultFrame& frame) {
            handle(*static_cast<Context*>(context), frame, "unexpected fault of a window in the engine");
          },
          context_);
    entry(argument);
  }
  const char* name() const override { return "process"; }
  void deliver_by(mmu::FaultUpcalls* upcalls) override { upcalls_ = upcalls; }

 private:
  void* const memory_;
  Context* const context_;
  FaultUpcallStack upcall_stack_;
  mmu::FaultUpcalls* upcalls_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<engine::World>> make_process_world() {
  const auto error = [](const char* what) { return Error{std::string(what) + ": " + std::strerror(errno)}; };
  void* memory =
      mmap(nullptr, kAlternateStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return error("alternate signal stack");
  std::unique_ptr<engine::World> world = std::make_unique<ProcessWorld>(memory);
  if (mprotect(static_cast<uint8_t*>(memory) + kPage, kPage, PROT_NONE) != 0)
    return error("guard page of the alternate signal stack");
  return world;
}

}  // namespace crosswalk::vmm
