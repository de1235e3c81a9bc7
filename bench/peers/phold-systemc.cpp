// PHOLD in SystemC with tlm_utils::peq_with_get. Two ways to build it, for the faster one depends on the number of processes:
// "shared" keeps all pending events in one queue, "each" gives every process a queue and a method of its own.
#include <systemc>
#include <tlm_utils/peq_with_get.h>
#include <cstring>
#include <memory>
#include <string>
#include <vector>
#include "phold.hpp"

namespace {

struct Hop {
  uint32_t process;
};

const sc_core::sc_time& tick() {
  static const sc_core::sc_time t(125, sc_core::SC_PS);
  return t;
}

struct Station;

struct Model {
  Phold& phold;
  std::vector<Hop> hops;
  std::vector<std::unique_ptr<Station>> stations;

  Model(Phold& p, bool each);
  void send(Hop& hop);
};

SC_MODULE(Station) {
  Model& model;
  tlm_utils::peq_with_get<Hop> queue;

  SC_HAS_PROCESS(Station);
  Station(sc_core::sc_module_name name, Model& m) : sc_module(name), model(m), queue("queue") {
    SC_METHOD(due);
    sensitive << queue.get_event();
    dont_initialize();
  }

  void due() {
    while (Hop* hop = queue.get_next_transaction()) {
      if (model.phold.over()) {
        sc_core::sc_stop();
        return;
      }
      hop->process = model.phold.target(hop->process);
      model.send(*hop);
    }
  }
};

SC_MODULE(Populate) {
  Model& model;

  SC_HAS_PROCESS(Populate);
  Populate(sc_core::sc_module_name name, Model& m) : sc_module(name), model(m) { SC_METHOD(populate); }

  void populate() {
    for (uint32_t i = 0; i < model.phold.pending(); i++) {
      model.hops[i].process = i;
      model.send(model.hops[i]);
    }
  }
};

Model::Model(Phold& p, bool each) : phold(p), hops(p.pending()) {
  const uint32_t count = each ? p.pending() : 1;
  for (uint32_t i = 0; i < count; i++) stations.emplace_back(new Station(("station" + std::to_string(i)).c_str(), *this));
}

void Model::send(Hop& hop) {
  Station& to = *stations[stations.size() == 1 ? 0 : hop.process];
  to.queue.notify(hop, phold.increment() * tick());
}

}  // namespace

int sc_main(int argc, char** argv) {
  sc_core::sc_report_handler::set_actions("/OSCI/SystemC", sc_core::SC_DO_NOTHING);
  Phold phold(argc, argv);
  Model model(phold, argc > 4 && std::strcmp(argv[4], "each") == 0);
  Populate populate("populate", model);
  sc_core::sc_start();
  phold.report();
  return 0;
}
