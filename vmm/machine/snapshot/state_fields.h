// SPDX-License-Identifier: GPL-2.0-or-later
// The fields of every state that a snapshot holds, each with its name in the file: one list for
// saving and for restoring. Pointers are of none. A field that is added to a state is added here,
// and kFormat in snapshot_file.h goes up.
#pragma once

#include <type_traits>

#include "translator/arm32/cpu/guest_cpu.h"
#include "vmm/devices/fw_cfg.h"
#include "vmm/devices/gicv2.h"
#include "vmm/devices/pflash.h"
#include "vmm/devices/pl011.h"
#include "vmm/devices/pl031.h"
#include "vmm/devices/pl061.h"
#include "vmm/devices/virtio_block.h"
#include "vmm/devices/virtio_console.h"
#include "vmm/devices/virtio_mmio.h"
#include "vmm/devices/virtio_net.h"
#include "vmm/machine/semihosting/semihosting.h"
#include "vmm/machine/time/timers.h"

namespace crosswalk::vmm {

// State, const or not.
template <class T, class State>
concept Of = std::is_same_v<std::remove_const_t<T>, State>;

// Each calls f(name, field) for every field of `s`.

template <class F>
void fields(F&& f, Of<BankedRegisters> auto& s) {
  f("r13", s.r13), f("r14", s.r14), f("spsr", s.spsr);
  f("r8_12_user", s.r8_12_user), f("r8_12_fiq", s.r8_12_fiq);
}

template <class F>
void fields(F&& f, Of<Cp15> auto& s) {
  f("sctlr", s.sctlr), f("actlr", s.actlr), f("cpacr", s.cpacr);
  f("ttbr0", s.ttbr0), f("ttbr1", s.ttbr1), f("ttbcr", s.ttbcr), f("dacr", s.dacr);
  f("dfsr", s.dfsr), f("ifsr", s.ifsr), f("dfar", s.dfar), f("ifar", s.ifar), f("par", s.par);
  f("prrr", s.prrr), f("nmrr", s.nmrr), f("vbar", s.vbar), f("contextidr", s.contextidr);
  f("tpidrurw", s.tpidrurw), f("tpidruro", s.tpidruro), f("tpidrprw", s.tpidrprw), f("csselr", s.csselr);
  f("cntkctl", s.cntkctl), f("cntp_ctl", s.cntp_ctl), f("cntv_ctl", s.cntv_ctl), f("cntfrq", s.cntfrq);
  f("cntp_cval", s.cntp_cval), f("cntv_cval", s.cntv_cval), f("cntvoff", s.cntvoff);
  f("pmcr", s.pmcr), f("pmcntenset", s.pmcntenset), f("pmovsr", s.pmovsr), f("pmselr", s.pmselr);
  f("pmuserenr", s.pmuserenr), f("pmintenset", s.pmintenset), f("pmccntr", s.pmccntr), f("l2ctlr", s.l2ctlr);
}

template <class F>
void fields(F&& f, Of<DebugRegisters> auto& s) {
  f("dbgdscr", s.dbgdscr), f("dbgvcr", s.dbgvcr), f("dbgwfar", s.dbgwfar), f("dbgosdlr", s.dbgosdlr);
  f("dbgclaim", s.dbgclaim), f("dbgprcr", s.dbgprcr), f("os_locked", s.os_locked);
  f("dbgbvr", s.dbgbvr), f("dbgbcr", s.dbgbcr), f("dbgwvr", s.dbgwvr), f("dbgwcr", s.dbgwcr);
  f("breaking", s.breaking), f("watching", s.watching);
}

template <class F>
void fields(F&& f, Of<PerformanceMonitors> auto& s) {
  f("evtyper", s.evtyper), f("evcntr", s.evcntr), f("ccfiltr", s.ccfiltr), f("cycle_residue", s.cycle_residue);
  f("synchronized", s.synchronized), f("interrupt_at", s.interrupt_at), f("interrupt", s.interrupt);
  f("filtered", s.filtered), f("user", s.user);
}

template <class F>
void fields(F&& f, Of<GuestCpu> auto& s) {
  f("r", s.r), f("nz", s.nz), f("c", s.c), f("v", s.v), f("q", s.q), f("ge_mask", s.ge_mask);
  f("t", s.t), f("e", s.e), f("it", s.it), f("j", s.j), f("mode", s.mode), f("a", s.a), f("i", s.i), f("f", s.f);
  f("fp_mode", s.fp_mode), f("strict_alignment", s.strict_alignment);
  f("mxcsr", s.mxcsr), f("mxcsr_standard", s.mxcsr_standard), f("fpscr", s.fpscr), f("fpscr_nzcv", s.fpscr_nzcv),
      f("fpexc", s.fpexc);
  f("monitor_armed", s.monitor_armed), f("monitor_address", s.monitor_address), f("monitor_size", s.monitor_size);
  f("monitor_value", s.monitor_value), f("vreg", s.vreg), f("banked", s.banked), f("cp15", s.cp15);
  f("midr", s.midr), f("mpidr", s.mpidr), f("cpu_index", s.cpu_index), f("debug", s.debug);
  f("performance", s.performance);
}

template <class F>
void fields(F&& f, Of<arm::Timer> auto& s) {
  f("control", s.control), f("compare_value", s.compare_value), f("offset", s.offset);
}
template <class F>
void fields(F&& f, Of<arm::OverflowInterrupt> auto& s) {
  f("level", s.level), f("rises_at", s.rises_at);
}
template <class F>
void fields(F&& f, Of<arm::TimerRegisters> auto& s) {
  f("physical", s.physical), f("virtual", s.virtual_timer), f("overflow", s.overflow);
}
template <class F>
void fields(F&& f, Of<Timers::CpuTimerState> auto& s) {
  f("registers", s.registers), f("seen", s.seen);
}

template <class F>
void fields(F&& f, Of<GicDistributor::Word> auto& s) {
  f("group", s.group), f("enabled", s.enabled), f("active", s.active);
  f("latched", s.latched), f("level", s.level), f("edge", s.edge);
}
template <class F>
void fields(F&& f, Of<GicDistributor::Bank> auto& s) {
  f("word", s.word), f("priority", s.priority), f("sgi_sources", s.sgi_sources);
}
template <class F>
void fields(F&& f, Of<GicDistributor::State> auto& s) {
  f("control", s.control), f("shared", s.shared), f("priority", s.priority), f("targets", s.targets);
  f("banks", s.banks);
}
template <class F>
void fields(F&& f, Of<GicCpuInterface::State> auto& s) {
  f("control", s.control), f("priority_mask", s.priority_mask), f("binary_point", s.binary_point);
  f("alias_binary_point", s.alias_binary_point), f("active_priorities", s.active_priorities);
  f("nonsecure_active_priorities", s.nonsecure_active_priorities);
}
template <class F>
void fields(F&& f, Of<GicV2::State> auto& s) {
  f("distributor", s.distributor), f("interfaces", s.interfaces);
}

template <class F>
void fields(F&& f, Of<Pl011::State> auto& s) {
  f("received", s.received), f("receive_status", s.receive_status);
  f("ilpr", s.ilpr), f("ibrd", s.ibrd), f("fbrd", s.fbrd), f("lcr_h", s.lcr_h), f("cr", s.cr);
  f("ifls", s.ifls), f("imsc", s.imsc), f("ris", s.ris), f("dmacr", s.dmacr);
}
template <class F>
void fields(F&& f, Of<Pl031::State> auto& s) {
  f("offset", s.offset), f("load", s.load), f("match", s.match), f("imsc", s.imsc), f("ris", s.ris);
  f("last", s.last), f("compares", s.compares);
}
template <class F>
void fields(F&& f, Of<FwCfg::State> auto& s) {
  f("selected", s.selected), f("position", s.position), f("dma_address", s.dma_address);
}
template <class F>
void fields(F&& f, Of<Pflash::State> auto& s) {
  f("mode", s.mode), f("cycle", s.cycle), f("status", s.status);
  f("left", s.left), f("written", s.written), f("end", s.end);
}
template <class F>
void fields(F&& f, Of<Pl061::State> auto& s) {
  f("data", s.data), f("dir", s.dir), f("is", s.is), f("ibe", s.ibe), f("iev", s.iev), f("ie", s.ie);
  f("afsel", s.afsel), f("edges", s.edges), f("inputs", s.inputs);
}

template <class F>
void fields(F&& f, Of<VirtQueue> auto& s) {
  f("size", s.size), f("ready", s.ready);
  f("descriptors", s.descriptors), f("available", s.available), f("used", s.used);
  f("next_available", s.next_available), f("next_used", s.next_used);
}
template <class F>
void fields(F&& f, Of<VirtioMmio::State> auto& s) {
  f("device_features_select", s.device_features_select), f("driver_features_select", s.driver_features_select);
  f("queue_select", s.queue_select), f("status", s.status), f("interrupt_status", s.interrupt_status);
  f("driver_features", s.driver_features), f("queues", s.queues), f("positions", s.positions);
}
template <class F>
void fields(F&& f, Of<VirtioBlock::RequestHeader> auto& s) {
  f("type", s.type), f("reserved", s.reserved), f("sector", s.sector);
}
template <class F>
void fields(F&& f, Of<VirtioBlock::State> auto& s) {
  f("write_through", s.write_through), f("header", s.header);
}
template <class F>
void fields(F&& f, Of<VirtioBlock::Identity> auto& s) {
  f("path", s.path), f("sectors", s.sectors), f("changed", s.changed);
}
template <class F>
void fields(F&& f, Of<VirtioConsole::State> auto& s) {
  f("received", s.received);
}
template <class F>
void fields(F&& f, Of<VirtioNet::State> auto& s) {
  f("features", s.features), f("all_pairs", s.all_pairs), f("pairs", s.pairs);
}

template <class F>
void fields(F&& f, Of<Semihosting::FileState> auto& s) {
  f("kind", s.kind), f("position", s.position);
}
template <class F>
void fields(F&& f, Of<Semihosting::State> auto& s) {
  f("image_end", s.image_end), f("files", s.files), f("errno", s.last_error);
}

}  // namespace crosswalk::vmm
