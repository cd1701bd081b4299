// The page of `lfm doctor` for people.
#pragma once

#include <string>

#include "engine/doctor.h"

namespace lfm::cli {

// `model` may be null.
std::string DoctorPage(const engine::MachineReport& machine, const engine::ModelReport* model);

}  // namespace lfm::cli
