from contract_scene import collect
CASES, case = collect()
