// PHOLD in ns-3 with its default scheduler.
#include "ns3/core-module.h"
#include "phold.hpp"

namespace {

Phold* phold;

void Hop(uint32_t process) {
  if (phold->over()) {
    ns3::Simulator::Stop();
    return;
  }
  const uint32_t to = phold->target(process);
  ns3::Simulator::Schedule(ns3::Time(static_cast<int64_t>(phold->increment()) * 125), &Hop, to);
}

}  // namespace

int main(int argc, char** argv) {
  Phold p(argc, argv);
  phold = &p;
  ns3::Time::SetResolution(ns3::Time::PS);
  for (uint32_t i = 0; i < p.pending(); i++) {
    ns3::Simulator::Schedule(ns3::Time(static_cast<int64_t>(p.increment()) * 125), &Hop, i);
  }
  ns3::Simulator::Run();
  ns3::Simulator::Destroy();
  p.report();
  return 0;
}
