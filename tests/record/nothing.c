/* SPDX-License-Identifier: MIT */
/* Allocates nothing. */
int main(void)
{
    return 0;
}
