nearshelf_test(unit/test_base.c LABEL unit DEPS base)
nearshelf_test(unit/test_fiber.c LABEL unit DEPS base)
nearshelf_test(unit/test_zone.c LABEL unit DEPS base)
nearshelf_test(unit/test_handover.c LABEL unit DEPS base)
