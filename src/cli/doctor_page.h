// The page of `lfm doctor` for people.
#pragma once

#include <string>

#include "report/doctor.h"

namespace lfm::cli {

// `model` may be null.
std::string DoctorPage(const report::MachineReport& machine, const report::ModelReport* model);

}  // namespace lfm::cli
