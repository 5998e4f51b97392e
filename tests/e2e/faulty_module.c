/* A PKCS#11 module in front of another one (PECETE_REAL_MODULE) that fails as files in PECETE_FAULTS say.

   A file there is one fault, and gone once it has come. Its name is the call and what becomes of it:
   sign-hang, sign-crash, sign-wrong (a signature that is none), sign-code (the call returns the code that
   the file holds, in hex); login-crash and login-code likewise. finalize is none: it tells that it was called. */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FINALIZE = 1, LOGIN = 18, SIGN = 43, FUNCTIONS = 68 };

typedef unsigned long ulong;
typedef ulong (*Login)(ulong, ulong, char *, ulong);
typedef ulong (*Sign)(ulong, char *, ulong, char *, ulong *);

/* CK_FUNCTION_LIST (PKCS#11 v2.40, 3.6). */
struct list {
    char version[2];
    void *functions[FUNCTIONS];
};

static struct list *real, ours;

/* Take a fault: 1 when there was one; of several processes one gets it. */
static int take(const char *name, ulong *code) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("PECETE_FAULTS"), name);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%lx", code) != 1) *code = 0;
    fclose(file);
    return unlink(path) == 0;
}

static ulong login(ulong session, ulong user, char *pin, ulong length) {
    ulong code;
    if (take("login-crash", &code)) abort();
    if (take("login-code", &code)) return code;
    return ((Login)real->functions[LOGIN])(session, user, pin, length);
}

static ulong sign(ulong session, char *data, ulong length, char *signature, ulong *signature_length) {
    ulong code;
    if (take("sign-hang", &code)) for (;;) pause();
    if (take("sign-crash", &code)) *(volatile int *)0 = 0;
    if (take("sign-code", &code)) return code;
    ulong result = ((Sign)real->functions[SIGN])(session, data, length, signature, signature_length);
    if (signature && take("sign-wrong", &code)) signature[*signature_length - 1] ^= 1;
    return result;
}

static ulong finalize(void *reserved) {
    ulong code;
    take("finalize", &code);
    return ((ulong (*)(void *))real->functions[FINALIZE])(reserved);
}

ulong C_GetFunctionList(struct list **list) {
    void *module = dlopen(getenv("PECETE_REAL_MODULE"), RTLD_NOW);
    if (!module) return 5; /* CKR_GENERAL_ERROR */
    ulong (*get)(struct list **) = (ulong (*)(struct list **))dlsym(module, "C_GetFunctionList");
    ulong result = get(&real);
    memcpy(&ours, real, sizeof ours);
    ours.functions[FINALIZE] = (void *)finalize;
    ours.functions[LOGIN] = (void *)login;
    ours.functions[SIGN] = (void *)sign;
    *list = &ours;
    return result;
}
